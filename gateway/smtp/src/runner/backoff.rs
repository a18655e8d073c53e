//! When to try again.

use std::time::Duration;

/// The pause before attempt `attempts + 1`: doubling from `first` to `last`, spread by a fifth either way so
/// that mail which failed together does not return together. `spread` is a random number in 0..1.
pub(crate) fn pause(attempts: u32, first: Duration, last: Duration, spread: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(20);
    let plain = first.saturating_mul(1 << doublings).min(last);
    plain.mul_f64(0.8 + 0.4 * spread.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_longest() {
        let (first, last) = (Duration::from_secs(60), Duration::from_secs(3600));
        let seconds = |attempts| pause(attempts, first, last, 0.5).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, 8, 1000].map(seconds), [60, 60, 120, 240, 1920, 3600, 3600, 3600]);
        assert_eq!(pause(1, first, last, 0.0).as_secs(), 48);
        assert_eq!(pause(1, first, last, 1.0).as_secs(), 72);
    }
}
