//! Responses (RFC 1939 §3) with response codes (RFC 2449 §6.4, RFC 3206).

use std::fmt;

/// A response of one line, or the first line of a longer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// `+OK text`
    Ok(String),
    /// `-ERR [code] text`
    Err(Option<ResponseCode>, String),
    /// `+ base64`: the server's turn in a SASL exchange (RFC 5034 §4).
    Continue(String),
}

/// Why it failed, for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseCode {
    /// `AUTH`: the credentials are wrong (RFC 3206 §4).
    Auth,
    /// `SYS/TEMP`: try later (RFC 3206 §4).
    SysTemp,
    /// `SYS/PERM`: an operator must look (RFC 3206 §4).
    SysPerm,
    /// `IN-USE`: the maildrop is held elsewhere (RFC 2449 §8.1.1).
    InUse,
    /// `LOGIN-DELAY`: too soon (RFC 2449 §8.1.2).
    LoginDelay,
}

impl Response {
    /// `+OK text`
    pub fn ok(text: impl Into<String>) -> Self {
        Self::Ok(text.into())
    }

    /// `-ERR text`
    pub fn err(text: impl Into<String>) -> Self {
        Self::Err(None, text.into())
    }

    /// `-ERR [code] text`
    pub fn err_with(code: ResponseCode, text: impl Into<String>) -> Self {
        Self::Err(Some(code), text.into())
    }

    /// Appends the wire form. What could end a line early is left out.
    pub fn write(&self, out: &mut Vec<u8>) {
        let text = match self {
            Self::Ok(text) => {
                out.extend_from_slice(b"+OK ");
                text
            }
            Self::Err(code, text) => {
                out.extend_from_slice(b"-ERR ");
                if let Some(code) = code {
                    out.extend_from_slice(format!("[{code}] ").as_bytes());
                }
                text
            }
            Self::Continue(text) => {
                out.extend_from_slice(b"+ ");
                text
            }
        };
        out.extend(text.bytes().filter(|b| !b.is_ascii_control()));
        out.extend_from_slice(b"\r\n");
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auth => "AUTH",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
        })
    }
}

/// Appends one line of LIST or UIDL. `value` holds no line ends and does not start with a dot.
pub fn write_listing(message: u32, value: impl fmt::Display, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{message} {value}\r\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(response: Response) -> String {
        let mut out = Vec::new();
        response.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn responses_are_one_line() {
        assert_eq!(wire(Response::ok("2 320")), "+OK 2 320\r\n");
        assert_eq!(
            wire(Response::err_with(ResponseCode::SysTemp, "later\r\n+OK")),
            "-ERR [SYS/TEMP] later+OK\r\n"
        );
        assert_eq!(wire(Response::Continue(String::new())), "+ \r\n");
    }
}
