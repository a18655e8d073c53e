/// What a peer may make this crate hold or look at. There is no unlimited variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a command line with its CRLF. RFC 5321 §4.5.3.1.4 asks for 512, each extension adds to
    /// it (RFC 3461: 500 on RCPT; RFC 4954: 500 on MAIL; RFC 6531: 10), so 2048 holds all of them.
    pub command_line: usize,
    /// Octets of a line in a SASL exchange with its CRLF (RFC 4954 §4: at least 12288).
    pub auth_line: usize,
    /// Octets of a local part. RFC 5321 says 64; longer ones exist (VERP), so this is a bound, not the rule.
    pub local_part: usize,
    /// Octets of a domain (RFC 5321 §4.5.3.1.2: 255).
    pub domain: usize,
    /// ESMTP parameters on one command.
    pub parameters: usize,
    /// Octets of a whole reply of a server, all lines together.
    pub reply: usize,
    /// Lines of a reply of a server.
    pub reply_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 2048,
            auth_line: 12288,
            local_part: 256,
            domain: 255,
            parameters: 16,
            reply: 32 * 1024,
            reply_lines: 128,
        }
    }
}
