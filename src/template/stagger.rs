//! Filters that spread a fleet over the day without a clock and without chance.

use minijinja::{Environment, Error, ErrorKind};
use sha2::{Digest as _, Sha256};

/// Adds `slot` and `later`.
pub(super) fn add_to(env: &mut Environment<'_>) {
    env.add_filter("slot", slot);
    env.add_filter("later", later);
}

/// `host.name | slot(12)`: a number from 0 to 11 that depends on the text alone. Two texts can share one.
fn slot(text: &str, slots: u32) -> Result<u32, Error> {
    let digest = Sha256::digest(text.as_bytes());
    let number = digest
        .iter()
        .take(4)
        .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    number
        .checked_rem(slots)
        .ok_or_else(|| wrong("there must be at least one slot"))
}

/// `"23:50" | later(20)`: the time of day so many minutes later, `00:10`.
fn later(text: &str, minutes: u32) -> Result<String, Error> {
    let two = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u32>().ok()).flatten()
    };
    let time = text
        .trim()
        .split_once(':')
        .and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)))
        .filter(|(hour, minute)| *hour < 24 && *minute < 60);
    let (hour, minute) =
        time.ok_or_else(|| wrong(&format!("`{text}` is no time of day such as 04:00")))?;
    let total = (hour * 60 + minute + minutes % 1440) % 1440;
    Ok(format!("{:02}:{:02}", total / 60, total % 60))
}

fn wrong(message: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_wraps_at_midnight() {
        assert_eq!(later("23:50", 20).unwrap(), "00:10");
        assert_eq!(later("04:00", 0).unwrap(), "04:00");
        assert_eq!(later("04:00", 1440 * 3 + 5).unwrap(), "04:05");
        for bad in ["4:00", "24:00", "04:60", "now", "04-00", "+4:00", ""] {
            assert!(later(bad, 0).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_has_the_same_slot_for_ever_and_many_names_spread() {
        assert_eq!(slot("web1", 12).unwrap(), slot("web1", 12).unwrap());
        // Pinned: another way to count would move the reboot of every host there is.
        assert_eq!(
            ["web1", "web2", "db"].map(|name| slot(name, 12).unwrap()),
            [2, 2, 1]
        );
        let mut hosts = [0; 12];
        for number in 0..600 {
            hosts[slot(&format!("host-{number}"), 12).unwrap() as usize] += 1;
        }
        assert!(
            hosts.iter().all(|count| (25..80).contains(count)),
            "{hosts:?}"
        );
        assert!(slot("web1", 0).is_err());
    }
}
