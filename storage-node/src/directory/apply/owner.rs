//! Whose an object is.

use kontor_storage_proto as proto;
use proto::apply_result::Outcome;

use super::Refusal;

/// What a put says of itself.
pub(super) struct Claim {
    pub owner: String,
    pub generation: i64,
    create_only: bool,
    update_only: bool,
    managed: Vec<String>,
    succeeds: String,
    adopt: bool,
}

impl Claim {
    pub fn of(put: &proto::Put) -> Self {
        Claim {
            owner: put.owner.clone(),
            generation: put.generation,
            create_only: put.create_only,
            update_only: put.update_only,
            managed: put.managed.clone(),
            succeeds: put.succeeds.clone(),
            adopt: put.adopt,
        }
    }

    /// Whether the caller says what this field is.
    pub fn manages(&self, field: &str) -> bool {
        self.managed.is_empty() || self.managed.iter().any(|m| m == field)
    }

    /// Whether an existing object may be changed by this put; `false` = it is older and does nothing.
    pub fn admits(&self, owner: &str, generation: i64, what: &str) -> Result<bool, Refusal> {
        if self.create_only {
            return Err(
                Refusal::new(Outcome::Conflict, format!("{what} exists already"), "name").held_by(owner)
            );
        }
        self.may_have(owner, what)?;
        Ok(self.owner.is_empty() || owner != self.owner || self.generation >= generation)
    }

    pub fn admits_new(&self, what: &str) -> Result<(), Refusal> {
        if self.update_only {
            return Err(Refusal::new(Outcome::NotFound, format!("{what} does not exist"), "name"));
        }
        Ok(())
    }

    /// The same owner said the same before: a difference is somebody else's doing.
    pub fn said_so_before(&self, owner: &str, generation: i64) -> bool {
        !self.owner.is_empty() && self.owner == owner && self.generation == generation
    }

    fn may_have(&self, owner: &str, what: &str) -> Result<(), Refusal> {
        if owner == self.owner {
            return Ok(());
        }
        if self.owner.is_empty() {
            return Err(declared_by(owner));
        }
        let former = !self.succeeds.is_empty() && owner.starts_with(&self.succeeds);
        let foreign = owner.is_empty() || realm(owner) != realm(&self.owner);
        if former || self.adopt && foreign {
            return Ok(());
        }
        if owner.is_empty() {
            return Err(Refusal::new(
                Outcome::Denied,
                format!("{what} is there already and nobody declares it; adopt it to take it over"),
                "owner",
            ));
        }
        Err(declared_by(owner))
    }
}

/// Passes when the caller is the owner, or there is none.
pub(super) fn check(owner: &str, caller: &str) -> Result<(), Refusal> {
    if owner.is_empty() || owner == caller { Ok(()) } else { Err(declared_by(owner)) }
}

fn declared_by(owner: &str) -> Refusal {
    Refusal::new(Outcome::Denied, format!("it is declared by {owner}; change it there"), "owner")
        .held_by(owner)
}

fn realm(owner: &str) -> &str {
    owner.split_once('/').map_or(owner, |(realm, _)| realm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(owner: &str, succeeds: &str, adopt: bool) -> Claim {
        Claim::of(&proto::Put {
            owner: owner.into(),
            succeeds: succeeds.into(),
            adopt,
            generation: 3,
            ..Default::default()
        })
    }

    #[test]
    fn an_object_is_changed_by_its_owner_and_by_nobody_else() {
        let mine = claim("r1/a/1", "r1/a/", false);
        assert!(mine.admits("r1/a/1", 3, "x").is_ok_and(|yes| yes));
        assert!(mine.admits("r1/a/1", 4, "x").is_ok_and(|yes| !yes), "an older generation does nothing");
        assert!(mine.admits("r1/a/0", 9, "x").is_ok_and(|yes| yes), "its own former life");
        assert!(mine.admits("r1/b/1", 0, "x").is_err());
        assert!(mine.admits("", 0, "x").is_err(), "what nobody declares is adopted on request only");
        let nobody = claim("", "", false);
        assert!(nobody.admits("", 0, "x").is_ok());
        assert!(nobody.admits("r1/a/1", 0, "x").is_err());
    }

    #[test]
    fn adoption_takes_what_is_free_and_what_is_of_another_realm() {
        let mine = claim("r1/a/1", "r1/a/", true);
        assert!(mine.admits("", 0, "x").is_ok());
        assert!(mine.admits("r2/b/1", 0, "x").is_ok());
        assert!(mine.admits("r1/b/1", 0, "x").is_err(), "not from a neighbour");
    }
}
