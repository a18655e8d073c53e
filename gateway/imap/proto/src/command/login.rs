//! LOGIN (RFC 9051 §6.2.3).

use crate::cursor::{Cursor, Result};

/// A name and a password in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub user: String,
    /// The proof.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Login> {
    cursor.sp()?;
    let user = cursor.astring()?;
    cursor.sp()?;
    Ok(Login { user, password: cursor.astring()? })
}
