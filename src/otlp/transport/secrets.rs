//! A receiver, or a proxy before it, may quote the request in its answer. Its texts are reported, and
//! what the request authenticates with is not.

use http::header::USER_AGENT;
use http::{HeaderMap, Uri};

use crate::otlp::transport::Answer;
use crate::sorted::sort_by_key;

/// In place of a secret.
const REDACTED: &str = "[redacted]";

/// Shorter ones are parts of ordinary words.
const MIN_LEN: usize = 4;

/// The answer, whose texts have neither the values of these headers, nor the URL's user, password and
/// query.
pub(crate) fn without_secrets<'a>(
    answer: Answer,
    url: &Uri,
    headers: impl IntoIterator<Item = &'a HeaderMap>,
) -> Answer {
    let redacted = |text: String| redacted(text, url, headers);
    match answer {
        Answer::Accepted { rejected, message } if !message.is_empty() => {
            Answer::Accepted { rejected, message: redacted(message) }
        }
        Answer::TryAgain { after, why } => Answer::TryAgain { after, why: redacted(why) },
        Answer::TooLarge { why } => Answer::TooLarge { why: redacted(why) },
        Answer::Refused { why } => Answer::Refused { why: redacted(why) },
        accepted @ Answer::Accepted { .. } => accepted,
    }
}

fn redacted<'a>(mut text: String, url: &Uri, headers: impl IntoIterator<Item = &'a HeaderMap>) -> String {
    let mut secrets = of_url(url);
    let pairs = headers.into_iter().flatten().filter(|(name, _)| *name != USER_AGENT);
    for value in pairs.filter_map(|(_, value)| value.to_str().ok()) {
        secrets.push(value);
        // The token of `Bearer token`.
        secrets.extend(value.split_once(' ').map(|(_, token)| token.trim()));
    }
    secrets.retain(|secret| secret.len() >= MIN_LEN);
    // One may be a part of another.
    sort_by_key(&mut secrets, |secret| std::cmp::Reverse(secret.len()));
    for secret in &secrets {
        if text.contains(secret) {
            text = text.replace(secret, REDACTED);
        }
    }
    without_cut_secret(text, &secrets)
}

/// Texts are cut to a length, and answers end early, perhaps in the middle of a secret.
fn without_cut_secret(text: String, secrets: &[&str]) -> String {
    let cut = text.rfind('…').map_or(&*text, |at| &text[..at]);
    let start = |secret: &&str| {
        let lengths = (MIN_LEN..secret.len()).rev().filter(|len| secret.is_char_boundary(*len));
        let mut starts = lengths.map(|len| &secret[..len]);
        starts.find(|start| cut.ends_with(start)).map(str::len)
    };
    match secrets.iter().filter_map(start).max() {
        Some(len) => format!("{}{REDACTED}{}", &cut[..cut.len() - len], &text[cut.len()..]),
        None => text,
    }
}

/// The user and the password, and what is in the query.
fn of_url(url: &Uri) -> Vec<&str> {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    let query = url.query();
    let values = query.into_iter().flat_map(|query| query.split('&'));
    let values = values.filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
    [user, password, query].into_iter().flatten().chain(values).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;
    use http::HeaderValue;

    /// Guarantees: what a request authenticates with is in no text, also where a receiver quotes it, or
    /// its text is cut.
    #[test]
    fn a_receiver_that_quotes_the_request_gives_nothing_away() {
        let url = Uri::from_static("http://ann:s3cr3t@a/v1/logs?token=abcdefgh&x=1");
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer opensesame"));
        headers.insert(USER_AGENT, HeaderValue::from_static("spanlog"));
        let said = |text: &str| {
            let answer = Answer::Refused { why: text.to_owned() };
            match without_secrets(answer, &url, [&headers]) {
                Answer::Refused { why } => why,
                other => panic!("{other:?}"),
            }
        };
        for (text, expected) in [
            ("invalid token Bearer opensesame", "invalid token [redacted]"),
            ("invalid token opensesame, spanlog", "invalid token [redacted], spanlog"),
            ("no /v1/logs?token=abcdefgh&x=1 here", "no /v1/logs?[redacted] here"),
            ("abcdefgh of ann:s3cr3t, or s3cr3t", "[redacted] of [redacted], or [redacted]"),
            ("Bearer is no secret", "Bearer is no secret"),
            ("a text that ends in opense… (http://a)", "a text that ends in [redacted]… (http://a)"),
            ("loading… a text that ends in opense…", "loading… a text that ends in [redacted]…"),
            ("a text that ends in opense", "a text that ends in [redacted]"),
            ("a text that ends in open-source…", "a text that ends in open-source…"),
        ] {
            assert_eq!(said(text), expected);
        }
        let answer = Answer::Accepted { rejected: 1, message: "opensesame".to_owned() };
        let expected = Answer::Accepted { rejected: 1, message: REDACTED.to_owned() };
        assert_eq!(without_secrets(answer, &url, [&headers]), expected);
    }
}
