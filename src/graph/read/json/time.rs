//! Times as a ClickHouse engine writes them.

use super::scalars::{from_text, Text};

/// Nanoseconds since the Unix epoch, of a column of the type `DateTime64`.
#[derive(Default)]
pub(super) struct Time(pub(super) u64);

from_text!(Time);

impl TryFrom<Text> for Time {
    type Error = String;

    fn try_from(Text(text): Text) -> Result<Self, String> {
        match unix_nano(&text) {
            Some(nanos) => Ok(Self(nanos)),
            None if text.is_empty() => Ok(Self(0)),
            None => Err(format!("invalid value: {text:?}, expected a time as 2023-11-14 22:13:20.123456789")),
        }
    }
}

/// The three forms of the setting `date_time_output_format`: `2023-11-14 22:13:20.123456789`, which is
/// taken for UTC as nothing says otherwise, the same with `T` and `Z`, and `1700000000.123456789`.
fn unix_nano(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = match whole.split_once([' ', 'T']) {
        Some((date, time)) => seconds(date, time)?,
        None => number(whole)?,
    };
    let nanos = match fraction {
        "" => 0,
        digits if digits.len() <= 9 => number(digits)? * 10_u64.pow(9 - digits.len() as u32),
        _ => return None,
    };
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// The seconds from 1970 to a date of the Gregorian calendar, and a time of its day.
fn seconds(date: &str, time: &str) -> Option<u64> {
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let is_valid = (1970..=2554).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_valid {
        return None;
    }
    // Years begin in March here, so that the day that only some of them have is their last one.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    // The days up to 1970.
    let days = days - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator).map(number);
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

/// Digits only: `parse` would accept a sign, too.
fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}
