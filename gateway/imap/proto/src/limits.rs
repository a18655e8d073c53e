//! The budgets of framer and parser. There is no unlimited variant.

/// What one command may cost before it is parsed. All sizes are bytes.
#[derive(Debug, Clone, Copy)]
pub struct FramerLimits {
    /// All text of a command outside its literals.
    pub text: usize,
    /// One literal of a command that is not an APPEND message.
    pub literal: u64,
    /// All literals together of a command, APPEND messages left out.
    pub literals: u64,
    /// How many literals a command may hold, APPEND messages left out.
    pub literal_count: usize,
    /// Whether APPEND's message literals are handed out ([`crate::Event::AppendLiteral`]). Before
    /// login they are literals like any other, and so under the small budget.
    pub append: bool,
    /// How much text is thrown away to find the end of a command that was too long, before the
    /// framer gives the connection up.
    pub skip: usize,
}

impl FramerLimits {
    /// The budget of a client that has not said who it is.
    pub const fn before_login() -> Self {
        Self {
            text: 8 << 10,
            literal: 4 << 10,
            literals: 12 << 10,
            literal_count: 4,
            append: false,
            skip: 64 << 10,
        }
    }

    /// The budget of an authenticated client.
    pub const fn after_login() -> Self {
        Self {
            text: 256 << 10,
            literal: 64 << 10,
            literals: 256 << 10,
            literal_count: 256,
            append: true,
            skip: 16 << 20,
        }
    }
}

/// What one command may hold when it is parsed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nesting of SEARCH keys (parentheses, NOT, OR).
    pub depth: usize,
    /// SEARCH keys in a command.
    pub search_keys: usize,
    /// Ranges in all sequence sets of a command.
    pub ranges: usize,
    /// Elements of any list: flags, FETCH items, header fields, patterns, ID pairs.
    pub list: usize,
    /// Components of a body part's number.
    pub part_depth: usize,
    /// Bytes of a mailbox name.
    pub mailbox_name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 32, search_keys: 1024, ranges: 40_000, list: 512, part_depth: 64, mailbox_name: 1024 }
    }
}
