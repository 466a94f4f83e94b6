//! Times of the week at which a route is open.
//!
//! A window is days and hours at a fixed offset from UTC: a box knows no zones, so that a rule means the same on every one. Summer time
//! is a change of `utc_offset`. The clock is an argument.

use crate::values::{UtcOffset, minutes_of_day};

/// Days and hours, in the route's own offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Bit 0: Monday … bit 6: Sunday.
    pub days: u8,
    /// Minutes after midnight, the first included.
    pub from: u16,
    /// Minutes after midnight, not included; below `from` it lies on the next day.
    pub until: u16,
    /// Minutes east of UTC.
    pub offset: i16,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Window {
    /// `mon-fri 08:00-17:30 +01:00`; without an offset the times are those of `local`.
    pub(crate) fn parse(text: &str, local: UtcOffset) -> Option<Self> {
        let mut words = text.split_whitespace();
        let days = words.next()?;
        let hours = words.next()?;
        let UtcOffset(offset) = words.next().map_or(Some(local), UtcOffset::parse)?;
        if words.next().is_some() {
            return None;
        }
        let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
        let mut mask = 0u8;
        for part in days.split(',') {
            match part.split_once('-') {
                Some((first, last)) => {
                    // From Friday to Monday is over the end of the week.
                    let (first, last) = (day(first)?, day(last)?);
                    let length = (last + 7 - first) % 7;
                    mask |= (first..=first + length).fold(0, |mask, day| mask | 1 << (day % 7));
                }
                None => mask |= 1 << day(part)?,
            }
        }
        let (from, until) = hours.split_once('-')?;
        Some(Self {
            days: mask,
            from: minutes_of_day(from)?,
            until: minutes_of_day(until)?,
            offset,
        })
    }

    /// Whether a moment (seconds since 1970 UTC) lies in it.
    #[must_use]
    pub fn contains(&self, wall: u64) -> bool {
        let minutes = i64::try_from(wall / 60).unwrap_or(i64::MAX / 2) + i64::from(self.offset);
        let minute = minutes.rem_euclid(1_440);
        // 1970-01-01 was a Thursday.
        let day = (minutes.div_euclid(1_440) + 3).rem_euclid(7);
        let on = |day: i64| self.days & (1 << day.rem_euclid(7)) != 0;
        let (from, until) = (i64::from(self.from), i64::from(self.until));
        if from < until {
            on(day) && (from..until).contains(&minute)
        } else {
            (on(day) && minute >= from) || (on(day - 1) && minute < until)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_knows_its_days_hours_and_offset() {
        let office = Window::parse("mon-fri 08:00-17:30 +01:00", UtcOffset(0)).expect("a window");
        // 2026-11-23 is a Monday; 07:00 UTC is 08:00 there.
        let monday = 1_795_392_000;
        assert!(!office.contains(monday + 7 * 3_600 - 60));
        assert!(office.contains(monday + 7 * 3_600));
        assert!(!office.contains(monday + 16 * 3_600 + 1_800));
        assert!(!office.contains(monday + 5 * 86_400 + 8 * 3_600));
        let night = Window::parse("fri 22:00-06:00", UtcOffset(0)).expect("a window");
        assert!(night.contains(monday + 4 * 86_400 + 23 * 3_600));
        assert!(night.contains(monday + 5 * 86_400 + 5 * 3_600));
        assert!(!night.contains(monday + 4 * 86_400 + 5 * 3_600));
        for odd in [
            "",
            "mon",
            "mon 8-9",
            "mon 08:00-25:00",
            "mon 08:00-09:00 UTC",
            "xyz 08:00-09:00",
        ] {
            assert_eq!(Window::parse(odd, UtcOffset(0)), None, "{odd}");
        }
    }

    #[test]
    fn a_window_without_an_offset_has_the_one_of_the_box() {
        let local = UtcOffset::parse("-05:00").expect("an offset");
        let of = |text| Window::parse(text, local).expect("a window").offset;
        assert_eq!(of("mon 08:00-09:00"), -300);
        assert_eq!(of("mon 08:00-09:00 +05:30"), 330);
        for odd in ["05:00", "+15:00", "+5:00", "+05:60", "Z"] {
            assert_eq!(UtcOffset::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn days_may_go_over_the_end_of_the_week() {
        let days = |text| Window::parse(text, UtcOffset(0)).expect("a window").days;
        assert_eq!(days("mon-sun 00:00-24:00"), 0b111_1111);
        assert_eq!(days("sat-mon 00:00-24:00"), 0b110_0001);
        assert_eq!(days("Mon,wed,FRI 00:00-24:00"), 0b001_0101);
    }
}
