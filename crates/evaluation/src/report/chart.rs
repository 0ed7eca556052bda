//! Line and bar charts as inline SVG. Each has a title and a description in words, for readers who do not see it.

use codeward_records::Interval;

use super::markup::Html;
use crate::number::percent;

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) name: String,
    /// Step and value, by step.
    pub(super) points: Vec<(u64, f64)>,
}

/// Values over steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LineChart {
    pub(super) title: String,
    /// True for shares: the axis is 0 to 100%.
    pub(super) is_share: bool,
    pub(super) series: Vec<Series>,
}

/// Plot geometry in SVG units, which are close to CSS pixels at the width the charts are shown at.
const WIDTH: f64 = 340.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const PLOT_HEIGHT: f64 = 140.0;
const LEGEND_ROW: f64 = 18.0;
/// Width of a legend entry's key and gaps, and about that of one letter.
const LEGEND_KEY: f64 = 42.0;
const LETTER: f64 = 6.4;
/// Up to this many points each gets a marker.
const FEW_POINTS: usize = 15;
/// Looks that repeat from the fifth series on; each differs in colour, dash and marker.
const LOOKS: usize = 4;

/// Evenly spaced round numbers that cover a range.
#[derive(Debug, Clone, PartialEq)]
struct Ticks {
    values: Vec<f64>,
    step: f64,
}

impl Ticks {
    /// About `wanted` ticks at multiples of 1, 2 or 5 times a power of ten, from at or below `low` to at or above `high`.
    fn covering(low: f64, high: f64, wanted: f64) -> Self {
        let span = if high > low { high - low } else { 1.0 };
        let high = low + span;
        let power = 10f64.powf((span / wanted).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|multiple| multiple * power)
            .into_iter()
            .find(|step| span / step <= wanted)
            .unwrap_or(10.0 * power);
        let first = (low / step + 1e-9).floor() as i64;
        let last = ((high / step - 1e-9).ceil() as i64).max(first + 1);
        Self { values: (first..=last).map(|tick| tick as f64 * step).collect(), step }
    }

    fn first(&self) -> f64 {
        self.values[0]
    }

    fn last(&self) -> f64 {
        self.values[self.values.len() - 1]
    }

    fn label(&self, value: f64) -> String {
        if self.step < 1e-4 {
            return if value == 0.0 { "0".to_owned() } else { format!("{value:.0e}") };
        }
        let decimals = (-self.step.log10() - 1e-9).ceil().max(0.0) as usize;
        format!("{value:.decimals$}").replace('-', "\u{2212}")
    }
}

/// Maps values to positions.
struct Scales {
    steps: (f64, f64),
    values: (f64, f64),
    top: f64,
}

impl Scales {
    fn x(&self, step: f64) -> f64 {
        LEFT + (step - self.steps.0) / (self.steps.1 - self.steps.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + PLOT_HEIGHT * (1.0 - (value - self.values.0) / (self.values.1 - self.values.0))
    }
}

impl LineChart {
    /// Writes the chart. `id` has to be unique in the page.
    pub(super) fn write(&self, html: &mut Html, id: &str) {
        let values = || self.series.iter().flat_map(|series| series.points.iter());
        let last_step = values().map(|(step, _)| *step).max().unwrap_or(1);
        let first_step = values().map(|(step, _)| *step).min().unwrap_or(0);
        let legend = self.legend();
        let rows = legend.last().map_or(0, |(row, _)| row + 1);
        // The value axis reaches zero, so that small wiggles do not look like big moves.
        let low = values().map(|(_, value)| *value).fold(0.0, f64::min);
        let high = values().map(|(_, value)| *value).fold(0.0, f64::max);
        let ticks = if self.is_share {
            Ticks { values: vec![0.0, 0.25, 0.5, 0.75, 1.0], step: 0.25 }
        } else {
            Ticks::covering(low, high, 4.0)
        };
        let scales = Scales {
            steps: (first_step as f64, last_step.max(first_step + 1) as f64),
            values: (ticks.first(), ticks.last()),
            top: 10.0 + rows as f64 * LEGEND_ROW,
        };
        let height = scales.top + PLOT_HEIGHT + 38.0;
        let svg = html.tag("svg").class("chart").attr("role", "img");
        let svg = svg.attr("viewBox", format_args!("0 0 {WIDTH} {height}"));
        svg.attr("aria-labelledby", format_args!("{id}-title {id}-desc")).within(|html| {
            html.tag("title").attr("id", format_args!("{id}-title")).text(&self.title);
            html.tag("desc").attr("id", format_args!("{id}-desc")).text(self.description());
            self.write_axes(html, &scales, &ticks);
            for (at, series) in self.series.iter().enumerate() {
                write_series(html, series, at, &scales, self.series.len() > 1);
            }
            for (at, (row, x)) in legend.into_iter().enumerate() {
                write_legend(html, &self.series[at].name, at, x, 9.0 + row as f64 * LEGEND_ROW);
            }
        });
        html.line();
    }

    /// Row and position of each legend entry; a single series needs none, the chart's caption names it.
    fn legend(&self) -> Vec<(usize, f64)> {
        if self.series.len() < 2 {
            return Vec::new();
        }
        let (mut row, mut x) = (0, LEFT);
        let mut places = Vec::new();
        for series in &self.series {
            let width = LEGEND_KEY + series.name.chars().count() as f64 * LETTER;
            if x > LEFT && x + width > WIDTH {
                (row, x) = (row + 1, LEFT);
            }
            places.push((row, x));
            x += width;
        }
        places
    }

    fn write_axes(&self, html: &mut Html, scales: &Scales, ticks: &Ticks) {
        for value in &ticks.values {
            let y = scales.y(*value);
            let class = if *value == 0.0 { "axis" } else { "grid" };
            line(html, class, (LEFT, y), (WIDTH - RIGHT, y));
            let label = if self.is_share { format!("{:.0}%", value * 100.0) } else { ticks.label(*value) };
            html.tag("text").class("tick end").at("x", LEFT - 6.0).at("y", y + 4.0).text(label);
        }
        let bottom = scales.top + PLOT_HEIGHT;
        line(html, "axis", (LEFT, scales.top), (LEFT, bottom));
        let mut steps = Ticks::covering(scales.steps.0, scales.steps.1, 6.0);
        if steps.step < 1.0 {
            steps = Ticks { values: vec![scales.steps.0, scales.steps.1], step: 1.0 };
        }
        for step in steps.values.iter().filter(|step| scales.steps.0 <= **step && **step <= scales.steps.1) {
            let x = scales.x(*step);
            line(html, "axis", (x, bottom), (x, bottom + 4.0));
            html.tag("text").class("tick middle").at("x", x).at("y", bottom + 16.0).text(steps.label(*step));
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        html.tag("text").class("tick middle").at("x", middle).at("y", bottom + 31.0).text("step");
    }

    fn description(&self) -> String {
        let written = |value: f64| if self.is_share { percent(value) } else { significant(value) };
        let sentences = self.series.iter().filter_map(|series| {
            let (first, last) = (series.points.first()?, series.points.last()?);
            let low = series.points.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
            let high = series.points.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
            Some(format!(
                "{}: {} at step {}, {} at step {}; between {} and {}.",
                series.name,
                written(first.1),
                first.0,
                written(last.1),
                last.0,
                written(low),
                written(high)
            ))
        });
        sentences.collect::<Vec<_>>().join(" ")
    }
}

/// A number with four significant digits or so, short when it is short.
pub(super) fn significant(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if size >= 1000.0 {
        format!("{value:.0}")
    } else if size >= 0.001 {
        let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.2e}")
    }
}

fn line(html: &mut Html, class: &'static str, from: (f64, f64), to: (f64, f64)) {
    html.tag("line").class(class).at("x1", from.0).at("y1", from.1).at("x2", to.0).at("y2", to.1).empty();
}

fn write_series(html: &mut Html, series: &Series, at: usize, scales: &Scales, needs_markers: bool) {
    let positions: Vec<(f64, f64)> =
        series.points.iter().map(|(step, value)| (scales.x(*step as f64), scales.y(*value))).collect();
    let path: Vec<String> = positions.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    html.tag("polyline").attr("class", format_args!("line look-{}", at % LOOKS)).attr("points", path.join(" ")).empty();
    if !needs_markers && positions.len() > FEW_POINTS {
        return;
    }
    // Markers tell the lines apart without colour; a few are enough.
    let every = positions.len().div_ceil(12).max(1);
    for (index, (x, y)) in positions.iter().enumerate() {
        if index % every == 0 || index + 1 == positions.len() {
            write_marker(html, at, *x, *y);
        }
    }
}

fn write_marker(html: &mut Html, at: usize, x: f64, y: f64) {
    let look = at % LOOKS;
    let class = format!("marker look-{look}");
    match look {
        0 => html.tag("circle").attr("class", class).at("cx", x).at("cy", y).at("r", 3.0).empty(),
        1 => {
            let square = html.tag("rect").attr("class", class).at("x", x - 2.8).at("y", y - 2.8);
            square.at("width", 5.6).at("height", 5.6).empty();
        }
        _ => {
            // A diamond, or a triangle.
            let corners: &[(f64, f64)] = if look == 2 {
                &[(0.0, -3.8), (3.8, 0.0), (0.0, 3.8), (-3.8, 0.0)]
            } else {
                &[(0.0, -3.8), (3.6, 3.0), (-3.6, 3.0)]
            };
            let points: Vec<String> = corners.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx, y + dy)).collect();
            html.tag("polygon").attr("class", class).attr("points", points.join(" ")).empty();
        }
    }
}

fn write_legend(html: &mut Html, name: &str, at: usize, x: f64, y: f64) {
    let key = html.tag("line").attr("class", format_args!("line look-{}", at % LOOKS));
    key.at("x1", x).at("y1", y).at("x2", x + 20.0).at("y2", y).empty();
    write_marker(html, at, x + 10.0, y);
    html.tag("text").class("tick").at("x", x + 25.0).at("y", y + 4.0).text(name);
}

/// One pair of bars.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BarPair {
    pub(super) label: String,
    pub(super) before: Option<(Interval, usize)>,
    pub(super) after: Option<(Interval, usize)>,
}

const BAR_CHART_WIDTH: f64 = 480.0;
const BAR_LEFT: f64 = 52.0;
const BAR_RIGHT: f64 = 372.0;
const PAIR_HEIGHT: f64 = 62.0;

/// Writes shares before and after as horizontal bars with their intervals and the number of samples.
pub(super) fn write_bars(html: &mut Html, id: &str, title: &str, pairs: &[BarPair]) {
    let bottom = pairs.len() as f64 * PAIR_HEIGHT;
    let svg = html.tag("svg").class("chart bars").attr("role", "img");
    let svg = svg.attr("viewBox", format_args!("0 0 {BAR_CHART_WIDTH} {}", bottom + 22.0));
    svg.attr("aria-labelledby", format_args!("{id}-title {id}-desc")).within(|html| {
        html.tag("title").attr("id", format_args!("{id}-title")).text(title);
        let described: Vec<String> = pairs.iter().map(describe_pair).collect();
        html.tag("desc").attr("id", format_args!("{id}-desc")).text(described.join(" "));
        for quarter in 0..=4 {
            let share = f64::from(quarter) / 4.0;
            let x = bar_x(share);
            line(html, if quarter == 0 { "axis" } else { "grid" }, (x, 18.0), (x, bottom));
            let label = format!("{:.0}%", share * 100.0);
            html.tag("text").class("tick middle").at("x", x).at("y", bottom + 16.0).text(label);
        }
        for (at, pair) in pairs.iter().enumerate() {
            let top = at as f64 * PAIR_HEIGHT;
            html.tag("text").class("label").at("x", BAR_LEFT).at("y", top + 14.0).text(&pair.label);
            write_bar(html, "before", pair.before, top + 20.0);
            write_bar(html, "after", pair.after, top + 38.0);
        }
    });
    html.line();
}

fn bar_x(share: f64) -> f64 {
    BAR_LEFT + share * (BAR_RIGHT - BAR_LEFT)
}

fn write_bar(html: &mut Html, side: &'static str, bar: Option<(Interval, usize)>, top: f64) {
    let middle = top + 7.0;
    html.tag("text").class("tick end").at("x", BAR_LEFT - 6.0).at("y", middle + 4.0).text(side);
    let Some((rate, n)) = bar else {
        html.tag("text").class("tick").at("x", BAR_LEFT + 6.0).at("y", middle + 4.0).text("no scored sample");
        return;
    };
    let rect = html.tag("rect").attr("class", format_args!("bar {side}")).at("x", BAR_LEFT).at("y", top);
    rect.at("width", (bar_x(rate.value) - BAR_LEFT).max(0.5)).at("height", 14.0).empty();
    // The halo keeps the whisker visible where it crosses the bar.
    for class in ["whisker halo", "whisker"] {
        line(html, class, (bar_x(rate.low), middle), (bar_x(rate.high), middle));
        for end in [rate.low, rate.high] {
            line(html, class, (bar_x(end), middle - 4.0), (bar_x(end), middle + 4.0));
        }
    }
    let value = format!("{}, n {n}", percent(rate.value));
    html.tag("text").class("tick").at("x", BAR_RIGHT + 10.0).at("y", middle + 4.0).text(value);
}

fn describe_pair(pair: &BarPair) -> String {
    let side = |bar: Option<(Interval, usize)>| match bar {
        Some((rate, n)) => format!("{} of {n}", percent(rate.value)),
        None => "no scored sample".to_owned(),
    };
    format!("{}: before {}, after {}.", pair.label, side(pair.before), side(pair.after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round_and_labelled_with_the_decimals_they_need() {
        let labels = |low, high| {
            let ticks = Ticks::covering(low, high, 4.0);
            ticks.values.iter().map(|value| ticks.label(*value)).collect::<Vec<_>>()
        };
        assert_eq!(labels(0.0, 0.71), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(-0.3, 0.9), ["\u{2212}0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(0.0, 0.003), ["0.000", "0.001", "0.002", "0.003"]);
        assert_eq!(labels(0.0, 0.000_03), ["0", "1e-5", "2e-5", "3e-5"]);
        assert_eq!(labels(0.0, 0.0), ["0.0", "0.5", "1.0"]);
        assert_eq!(labels(0.0, 180.0), ["0", "50", "100", "150", "200"]);
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let chart = LineChart {
            title: "reward/mean".to_owned(),
            is_share: false,
            series: vec![Series { name: "reward/mean".to_owned(), points: vec![(1, 0.25), (2, -0.5), (4, 0.75)] }],
        };
        assert_eq!(chart.description(), "reward/mean: 0.2500 at step 1, 0.7500 at step 4; between -0.5000 and 0.7500.");
    }

    #[test]
    fn a_line_passes_through_its_values() {
        let chart = LineChart {
            title: "share".to_owned(),
            is_share: true,
            series: vec![Series { name: "share".to_owned(), points: vec![(0, 0.0), (10, 1.0)] }],
        };
        let mut html = Html::default();
        chart.write(&mut html, "c");
        // The plot spans x 46 to 326 and y 10 to 150.
        assert!(html.into_string().contains("points=\"46.0,150.0 326.0,10.0\""));
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        let rate = Interval { value: 0.25, low: 0.125, high: 0.5 };
        let pair = BarPair { label: "CWE-78".to_owned(), before: Some((rate, 8)), after: None };
        let mut html = Html::default();
        write_bars(&mut html, "b", "bars", &[pair]);
        let html = html.into_string();
        assert!(html.contains("<rect class=\"bar before\" x=\"52\" y=\"20\" width=\"80\" height=\"14\"/>"), "{html}");
        assert!(html.contains("<line class=\"whisker\" x1=\"92\" y1=\"27\" x2=\"212\" y2=\"27\"/>"), "{html}");
        assert!(html.contains("CWE-78: before 25.0% of 8, after no scored sample."), "{html}");
    }

    proptest! {
        #[test]
        fn ticks_cover_the_range_with_few_values(low in -1e6f64..1e6, span in 1e-6f64..1e6) {
            let ticks = Ticks::covering(low, low + span, 4.0);
            let slack = ticks.step * 1e-6;
            prop_assert!(ticks.first() <= low + slack && ticks.last() >= low + span - slack);
            prop_assert!((2..=7).contains(&ticks.values.len()), "{:?}", ticks);
        }
    }
}
