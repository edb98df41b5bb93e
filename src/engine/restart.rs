//! Whether a run that has failed is to begin again, and when. Pure: time and chance arrive as arguments.

use std::time::Duration;

/// What to do when a run fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// How it is decided.
    pub policy: RestartPolicy,
    /// How long is waited before it begins again; with [`RestartPolicy::Exponential`], the first time.
    pub delay: Duration,
    /// The longest that is waited with [`RestartPolicy::Exponential`].
    pub delay_max: Duration,
    /// How many failures are borne: one after the other, or with [`RestartPolicy::FailureRate`] within the window.
    pub attempts: u32,
    /// A run that goes on for so long has recovered, and failures before it are forgotten. With [`RestartPolicy::FailureRate`], how long a failure counts.
    pub window: Duration,
}

/// How it is decided whether a run that has failed begins again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RestartPolicy {
    /// It does not.
    None,
    /// Always after the same delay.
    FixedDelay,
    /// After a delay that doubles with each failure that follows, up to a longest one, less a random part of at most a quarter: so that many that failed together do not come back together.
    #[default]
    Exponential,
    /// After the same delay, unless it fails too often within a window.
    FailureRate,
}

impl Restart {
    /// Never.
    pub const NEVER: Restart = Restart {
        policy: RestartPolicy::None,
        ..Restart::DEFAULT
    };

    /// After a second, then twice as long each time up to a minute, ten times unless it goes on for ten minutes.
    pub const DEFAULT: Restart = Restart {
        policy: RestartPolicy::Exponential,
        delay: Duration::from_secs(1),
        delay_max: Duration::from_secs(60),
        attempts: 10,
        window: Duration::from_secs(600),
    };
}

impl Default for Restart {
    fn default() -> Restart {
        Restart::DEFAULT
    }
}

/// Remembers failures.
#[derive(Clone, Debug)]
pub struct Failures {
    restart: Restart,
    /// When those happened that count still, oldest first; never more than are borne.
    counted: Vec<Duration>,
    /// How many failures were followed by a restart.
    restarts: u64,
}

impl Failures {
    /// None yet.
    #[must_use]
    pub fn new(restart: Restart) -> Failures {
        Failures {
            restart,
            counted: Vec::new(),
            restarts: 0,
        }
    }

    /// How many failures were followed by a restart.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// How many failures count just now.
    #[must_use]
    pub fn counted(&self) -> usize {
        self.counted.len()
    }

    /// A run that began at `began` has failed at `now`. How long to wait before the next one begins; `None` if there is to be none. `chance`: any number.
    pub fn failed(&mut self, began: Duration, now: Duration, chance: u64) -> Option<Duration> {
        let Restart {
            policy,
            delay,
            delay_max,
            attempts,
            window,
        } = self.restart;
        match policy {
            RestartPolicy::None => return None,
            RestartPolicy::FailureRate => {
                self.counted.retain(|at| now.saturating_sub(*at) < window)
            }
            RestartPolicy::FixedDelay | RestartPolicy::Exponential => {
                if now.saturating_sub(began) >= window {
                    self.counted.clear();
                }
            }
        }
        if self.counted.len() >= attempts as usize {
            return None;
        }
        let before = u32::try_from(self.counted.len()).unwrap_or(u32::MAX);
        self.counted.push(now);
        self.restarts += 1;
        if policy != RestartPolicy::Exponential {
            return Some(delay);
        }
        let doubled = 2_u32.saturating_pow(before);
        let whole = delay.saturating_mul(doubled).min(delay_max);
        // An eighth of a percent is as fine as anybody can tell.
        let less = (chance % 250) as u32;
        Some(whole - whole / 1_000 * less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn restart(policy: RestartPolicy) -> Restart {
        Restart {
            policy,
            delay: SECOND,
            delay_max: 5 * SECOND,
            attempts: 4,
            window: 60 * SECOND,
        }
    }

    /// Delays after failures at these seconds, of runs that began where the ones before failed.
    fn delays(policy: RestartPolicy, at: &[u32], chance: u64) -> Vec<Option<Duration>> {
        let mut failures = Failures::new(restart(policy));
        let mut began = Duration::ZERO;
        let delays = at.iter().map(|at| {
            let now = SECOND * *at;
            let delay = failures.failed(began, now, chance);
            began = now;
            delay
        });
        delays.collect()
    }

    fn seconds(of: &[u32]) -> Vec<Option<Duration>> {
        let some = |seconds: &u32| (*seconds > 0).then(|| SECOND * *seconds);
        of.iter().map(some).collect()
    }

    #[test]
    fn each_policy_waits_as_it_says_and_gives_up_in_the_end() {
        let at = [1, 2, 3, 4, 5];
        assert_eq!(delays(RestartPolicy::None, &at, 0), seconds(&[0; 5]));
        let fixed = delays(RestartPolicy::FixedDelay, &at, 7);
        assert_eq!(fixed, seconds(&[1, 1, 1, 1, 0]));
        let exponential = delays(RestartPolicy::Exponential, &at, 0);
        assert_eq!(exponential, seconds(&[1, 2, 4, 5, 0]));
        let rate = delays(RestartPolicy::FailureRate, &at, 7);
        assert_eq!(rate, seconds(&[1, 1, 1, 1, 0]));
    }

    #[test]
    fn a_run_that_lasts_has_recovered_and_old_failures_of_a_rate_are_forgotten() {
        let at = [1, 2, 3, 4, 64, 65];
        let exponential = delays(RestartPolicy::Exponential, &at, 0);
        assert_eq!(exponential, seconds(&[1, 2, 4, 5, 1, 2]));
        // No run of these lasts a minute, but four failures lie within one only at first.
        let at = [1, 20, 40, 59, 61, 90];
        let rate = delays(RestartPolicy::FailureRate, &at, 0);
        assert_eq!(rate, seconds(&[1, 1, 1, 1, 1, 1]));
        let fixed = delays(RestartPolicy::FixedDelay, &at, 0);
        assert_eq!(fixed, seconds(&[1, 1, 1, 1, 0, 0]));
    }

    #[test]
    fn chance_makes_a_delay_shorter_by_at_most_a_quarter() {
        for chance in [1, 249, 250, 12_345, u64::MAX] {
            let delay = delays(RestartPolicy::Exponential, &[1], chance)[0].expect("a restart");
            assert!(delay > SECOND * 3 / 4 && delay <= SECOND, "{delay:?}");
        }
    }
}
