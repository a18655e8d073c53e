//! The messages of the workload: about 10 KiB of multipart/alternative each, the same from the same seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Makes messages. Holds 200 bodies; headers are made new for each message.
pub struct Messages {
    bodies: Vec<Body>,
    words: Vec<String>,
    run: u64,
}

struct Body {
    plain: String,
    html: String,
}

impl Messages {
    /// `run` goes into the Message-IDs, so that no two runs share one.
    pub fn new(run: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(SEED);
        let words: Vec<String> = (0..WORDS).map(|_| word(&mut rng)).collect();
        let bodies = (0..BODIES)
            .map(|i| {
                let rare = i % 100 == RARE_AT;
                Body {
                    plain: text(&mut rng, &words, rare, "\r\n"),
                    html: text(&mut rng, &words, rare, "<br>\r\n"),
                }
            })
            .collect();
        Self { bodies, words, run }
    }

    /// The message number `i`. Subjects hold `token{i % 100}`; bodies with `i % 100 == 7` hold [`RARE`].
    pub fn message(&self, i: usize) -> Vec<u8> {
        let body = &self.bodies[i % BODIES];
        let word = |n: usize| self.words[n % WORDS].as_str();
        let run = self.run;
        let mut out = Vec::with_capacity(11 * 1024);
        out.extend_from_slice(
            format!(
                "Received: from out.sender.test (out.sender.test [192.0.2.7])\r\n\
                 \tby mx.bench.test with ESMTPS id {run:x}.{i:x};\r\n\
                 \tTue, 3 Nov 2026 10:{:02}:{:02} +0000\r\n\
                 From: Sender {} <s{}@sender.test>\r\n\
                 To: user <user@bench.test>\r\n\
                 Subject: Load message {i} token{} {} {}\r\n\
                 Message-ID: <{run:x}.{i}@sender.test>\r\n\
                 Date: Tue, 3 Nov 2026 10:{:02}:{:02} +0000\r\n\
                 MIME-Version: 1.0\r\n\
                 Content-Type: multipart/alternative; boundary=\"=_b{i:x}\"\r\n\r\n\
                 --=_b{i:x}\r\n\
                 Content-Type: text/plain; charset=utf-8\r\n\
                 Content-Transfer-Encoding: 7bit\r\n\r\n",
                i / 60 % 60,
                i % 60,
                i % 97,
                i % 97,
                i % 100,
                word(i),
                word(i * 7 + 3),
                i / 60 % 60,
                i % 60,
            )
            .as_bytes(),
        );
        out.extend_from_slice(body.plain.as_bytes());
        out.extend_from_slice(
            format!(
                "\r\n--=_b{i:x}\r\nContent-Type: text/html; charset=utf-8\r\n\
                 Content-Transfer-Encoding: 7bit\r\n\r\n<html><body><p>"
            )
            .as_bytes(),
        );
        out.extend_from_slice(body.html.as_bytes());
        out.extend_from_slice(format!("</p></body></html>\r\n--=_b{i:x}--\r\n").as_bytes());
        out
    }
}

/// A word that is in one body of a hundred.
pub const RARE: &str = "zebrafish";

fn text(rng: &mut StdRng, words: &[String], rare: bool, line_end: &str) -> String {
    let mut out = String::with_capacity(PART + 80);
    let mut column = 0;
    while out.len() < PART {
        if rare && out.len() > PART / 2 && !out.contains(RARE) {
            out.push_str(RARE);
            out.push(' ');
        }
        // Seven of ten words come from a Pareto distribution, as in natural text, the rest evenly.
        let index = if rng.random_bool(0.7) {
            let u: f64 = rng.random_range(f64::EPSILON..1.0);
            (u.powf(-1.0 / 0.6) - 1.0).min((WORDS - 1) as f64) as usize
        } else {
            rng.random_range(0..WORDS)
        };
        let word = &words[index];
        out.push_str(word);
        column += word.len() + 1;
        if column > 68 {
            out.push_str(line_end);
            column = 0;
        } else {
            out.push(' ');
        }
    }
    out
}

fn word(rng: &mut StdRng) -> String {
    const ONSETS: [&str; 16] =
        ["b", "br", "d", "f", "g", "k", "kl", "l", "m", "n", "p", "r", "s", "st", "t", "v"];
    const VOWELS: [&str; 6] = ["a", "e", "i", "o", "u", "ei"];
    let syllables = rng.random_range(1..=4);
    let mut word = String::new();
    for _ in 0..syllables {
        word.push_str(ONSETS[rng.random_range(0..ONSETS.len())]);
        word.push_str(VOWELS[rng.random_range(0..VOWELS.len())]);
    }
    word
}

const SEED: u64 = 0x6b6f_6e74_6f72;
const WORDS: usize = 2_000;
const BODIES: usize = 200;
const RARE_AT: usize = 7;
/// Bytes of text in each of the two parts.
const PART: usize = 4_700;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_about_ten_kilobytes_and_repeatable() {
        let a = Messages::new(1);
        let b = Messages::new(1);
        for i in [0, 7, 199, 10_000] {
            let message = a.message(i);
            assert_eq!(message, b.message(i));
            assert!((9_800..10_800).contains(&message.len()), "{} bytes", message.len());
            assert!(!message.windows(2).any(|w| w[0] != b'\r' && w[1] == b'\n'), "a bare line feed");
        }
    }

    #[test]
    fn the_rare_word_is_in_one_body_of_a_hundred() {
        let messages = Messages::new(1);
        let holds = |i: usize| String::from_utf8_lossy(&messages.message(i)).contains(RARE);
        assert_eq!((0..200).filter(|i| holds(*i)).collect::<Vec<_>>(), [7, 107]);
    }
}
