//! What a run writes down of its steps, and the alarms that show in it.

use std::collections::BTreeMap;

use codeward_records::StepMetrics;

use crate::alarms::{Alarm, AlarmSettings, History};
use crate::event::Event;
use crate::run_folder::{Curves, RunFolder, RunFolderError};

/// The numbers of a run so far, on disk and in mind.
pub(crate) struct Journal<'a> {
    folder: &'a RunFolder,
    alarms: &'a AlarmSettings,
    curves: Curves,
    history: History,
    /// The alarms of the last step.
    ringing: Vec<Alarm>,
}

impl<'a> Journal<'a> {
    /// The journal of a run that goes on after a step; what was written of later ones is gone from the folder.
    pub(crate) fn open(folder: &'a RunFolder, alarms: &'a AlarmSettings, step: u64) -> Result<Self, RunFolderError> {
        let curves = folder.curves((step > 0).then_some(step))?;
        let mut history = History::default();
        folder.metrics()?.iter().for_each(|metrics| history.push(&metrics.values));
        let ringing = history.alarms(alarms);
        Ok(Self { folder, alarms, curves, history, ringing })
    }

    /// Writes a step down, tells it with the alarms that are new, and gives all that ring.
    pub(crate) fn log(
        &mut self,
        step: u64,
        num_steps: u64,
        mut values: BTreeMap<String, f64>,
        timings: BTreeMap<String, f64>,
        listen: &mut impl FnMut(Event<'_>),
    ) -> Result<&[Alarm], RunFolderError> {
        self.history.push(&values);
        let alarms = self.history.alarms(self.alarms);
        values.extend(alarms.iter().map(|alarm| (format!("alarm/{}", alarm.name), 1.0)));
        let secs = timings.get("time/step_secs").copied().unwrap_or_default();
        let (metrics, timings) = (StepMetrics { step, values }, StepMetrics { step, values: timings });
        self.folder.log(&metrics, &timings)?;
        self.curves.log(&metrics, &timings)?;
        listen(Event::Step { metrics: &metrics, num_steps, secs });
        let is_new = |alarm: &&Alarm| !self.ringing.iter().any(|other| other.name == alarm.name);
        alarms.iter().filter(is_new).for_each(|alarm| listen(Event::Alarm { step, alarm }));
        self.ringing = alarms;
        Ok(&self.ringing)
    }
}
