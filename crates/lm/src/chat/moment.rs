//! A date and time that a template may ask for. It comes from outside: the clock must not reach a result unseen.

/// A moment on a calendar and a clock, as `strftime_now` sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The year, 1 to 9999.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day, 1 to 31.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 59.
    pub second: u8,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const DAYS_BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

impl Moment {
    /// The beginning of a day.
    pub fn date(year: u16, month: u8, day: u8) -> Self {
        Self { year, month, day, hour: 0, minute: 0, second: 0 }
    }

    fn is_leap_year(self) -> bool {
        (self.year.is_multiple_of(4) && !self.year.is_multiple_of(100)) || self.year.is_multiple_of(400)
    }

    /// The day of the year, from 1.
    fn day_of_year(self) -> u32 {
        let leap = u32::from(self.month > 2 && self.is_leap_year());
        DAYS_BEFORE[usize::from(self.month.clamp(1, 12) - 1)] + u32::from(self.day) + leap
    }

    /// The day of the week, from Sunday as 0.
    fn day_of_week(self) -> usize {
        let before = u32::from(self.year.max(1)) - 1;
        ((before * 365 + before / 4 - before / 100 + before / 400 + self.day_of_year()) % 7) as usize
    }

    /// The moment in the words of C's `strftime`, in English.
    pub(super) fn format(self, format: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut letter = rest.next();
            let is_short = letter == Some('-');
            if is_short {
                letter = rest.next();
            }
            let number = |number: u32, width: usize| {
                if is_short { number.to_string() } else { format!("{number:0width$}") }
            };
            let month = MONTHS[usize::from(self.month.clamp(1, 12) - 1)];
            let day = DAYS[self.day_of_week()];
            let hour = u32::from(self.hour);
            let piece = match letter {
                Some('Y') => number(u32::from(self.year), 4),
                Some('y') => number(u32::from(self.year % 100), 2),
                Some('m') => number(u32::from(self.month), 2),
                Some('d') => number(u32::from(self.day), 2),
                Some('e') => format!("{:2}", self.day),
                Some('j') => number(self.day_of_year(), 3),
                Some('H') => number(hour, 2),
                Some('I') => number((hour + 11) % 12 + 1, 2),
                Some('M') => number(u32::from(self.minute), 2),
                Some('S') => number(u32::from(self.second), 2),
                Some('p') => if hour < 12 { "AM" } else { "PM" }.to_owned(),
                Some('B') => month.to_owned(),
                Some('b' | 'h') => month[..3].to_owned(),
                Some('A') => day.to_owned(),
                Some('a') => day[..3].to_owned(),
                Some('F') => self.format("%Y-%m-%d")?,
                Some('T') => self.format("%H:%M:%S")?,
                Some('w') => self.day_of_week().to_string(),
                Some('%') => "%".to_owned(),
                Some(other) => return Err(format!("the date format %{other} is not known here")),
                None => return Err("a date format ends after its percent sign".to_owned()),
            };
            out.push_str(&piece);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected texts are those of Python's `datetime.strftime`.
    #[test]
    fn dates_read_as_python_writes_them() {
        let moment = Moment { year: 2026, month: 11, day: 3, hour: 13, minute: 5, second: 9 };
        assert_eq!(moment.format("%d %b %Y, %A").unwrap(), "03 Nov 2026, Tuesday");
        assert_eq!(moment.format("%-d.%-m.%y %I:%M:%S %p %j %%").unwrap(), "3.11.26 01:05:09 PM 307 %");
        assert_eq!(Moment::date(2024, 2, 29).format("%a %B %F %H").unwrap(), "Thu February 2024-02-29 00");
        assert_eq!(Moment::date(2024, 12, 31).format("%j").unwrap(), "366");
        assert!(moment.format("%Q").is_err());
    }
}
