//! The rules of a zone as VTIMEZONE has them: observances with their onsets.

use super::yearly::Yearly;
use super::{DAY, Transition, clock, wall_seconds};

/// A stretch of one offset that begins at each of its onsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observance {
    pub(super) daylight: bool,
    /// Seconds east of UTC before and after an onset.
    pub(super) before: i32,
    pub(super) after: i32,
    pub(super) name: Option<String>,
    /// Single onsets in seconds since 1970, ascending.
    pub(super) listed: Vec<i64>,
    /// Onsets of every year.
    pub(super) yearly: Option<YearlyOnsets>,
}

/// Onsets by a rule, within years and until a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct YearlyOnsets {
    pub(super) rule: Yearly,
    pub(super) first_year: i16,
    pub(super) last_year: i16,
    /// No onset lies after this, in seconds since 1970.
    pub(super) until: i64,
}

impl Observance {
    fn onset(&self, yearly: &YearlyOnsets, year: i16) -> Option<i64> {
        if year < yearly.first_year || year > yearly.last_year {
            return None;
        }
        let date = yearly.rule.date(year)?;
        let wall = wall_seconds(date.at(0, 0, 0, 0)) + i64::from(yearly.rule.second);
        Some(wall - i64::from(self.before)).filter(|onset| *onset <= yearly.until)
    }

    /// The last onset that is not after a moment.
    fn last_onset(&self, unix: i64) -> Option<i64> {
        let listed = self.listed.get(..self.listed.partition_point(|onset| *onset <= unix))?.last().copied();
        let ruled = self.yearly.as_ref().and_then(|yearly| {
            let year = clock(unix.saturating_add(DAY)).year().min(yearly.last_year);
            // The one of this year may lie ahead, the one of a year may not exist or be past the end.
            (0..4).find_map(|back| self.onset(yearly, year.checked_sub(back)?).filter(|onset| *onset <= unix))
        });
        listed.max(ruled)
    }

    fn first_onset(&self) -> Option<i64> {
        let ruled = self.yearly.as_ref().and_then(|yearly| {
            (0..8).find_map(|ahead| self.onset(yearly, yearly.first_year.checked_add(ahead)?))
        });
        [self.listed.first().copied(), ruled].into_iter().flatten().min()
    }
}

/// Seconds east of UTC at a moment; before every onset, what the first of them ends.
pub(super) fn offset_at(observances: &[Observance], unix: i64) -> i32 {
    let current = observances.iter().filter_map(|o| Some((o.last_onset(unix)?, o.after))).max_by_key(|o| o.0);
    if let Some((_, offset)) = current {
        return offset;
    }
    let first = observances.iter().filter_map(|o| Some((o.first_onset()?, o.before))).min_by_key(|o| o.0);
    first.map_or(0, |(_, offset)| offset)
}

pub(super) fn transitions(
    observances: &[Observance],
    from: i64,
    until: i64,
    limit: usize,
) -> Vec<Transition> {
    let mut onsets: Vec<(i64, &Observance)> = Vec::new();
    for observance in observances {
        let listed = observance.listed.iter().copied();
        let listed = listed.skip_while(|onset| *onset < from).take_while(|onset| *onset < until).take(limit);
        onsets.extend(listed.map(|onset| (onset, observance)));
        let Some(yearly) = &observance.yearly else { continue };
        let first = clock(from.saturating_sub(DAY)).year().max(yearly.first_year);
        let last = clock(until.saturating_add(DAY)).year().min(yearly.last_year);
        let ruled = (first..=last).filter_map(|year| observance.onset(yearly, year));
        let ruled = ruled.filter(|onset| (from..until).contains(onset)).take(limit);
        onsets.extend(ruled.map(|onset| (onset, observance)));
    }
    onsets.sort_by_key(|(onset, _)| *onset);
    let mut before = offset_at(observances, from.saturating_sub(1));
    let mut out = Vec::new();
    for (unix, observance) in onsets {
        if observance.after != before && out.len() < limit {
            out.push(Transition {
                unix,
                before,
                after: observance.after,
                daylight: observance.daylight,
                name: observance.name.clone(),
            });
        }
        before = observance.after;
    }
    out
}
