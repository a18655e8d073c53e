//! `CALDAV:calendar-availability` (RFC 7953 §7.2.4): when somebody can be met at all. It is a property of their calendar home and inbox;
//! the owner alone sees and sets it, and others see it in the times at which they are busy.

use kontor_dav_proto::request::{PropertyChange, PropertyUpdate};
use kontor_dav_proto::{Name, Precondition};
use kontor_storage_client::StoreError;

use super::proppatch::{PROTECTED, answer};
use crate::answer::{Answer, Failure};
use crate::call::Call;
use crate::place::{Place, Tree};

/// PROPPATCH of a calendar home or an inbox. All or nothing, as everywhere.
pub(super) async fn proppatch(
    call: &Call<'_>,
    place: &Place,
    owner: &str,
    update: &PropertyUpdate,
) -> Result<Answer, Failure> {
    let own = call.session.info();
    // Somebody else's home may not even be there.
    call.collections(Tree::Calendars, owner).await?;
    let is_own = owner.eq_ignore_ascii_case(&own.address)
        || call.session.open(owner).await?.mailbox_id == own.mailbox_id;
    let is_known = |name: &Name| is_own && *name == NAME;
    let refused: Vec<Name> =
        update.changes.iter().map(PropertyChange::name).filter(|name| !is_known(name)).cloned().collect();
    if !refused.is_empty() {
        return Ok(answer(place, update, &refused, PROTECTED));
    }
    let Some(last) = update.changes.last() else { return Ok(answer(place, update, &[], PROTECTED)) };
    let availability = match last {
        PropertyChange::Set(element) => element.text().trim_start().to_owned(),
        PropertyChange::Remove(_) => String::new(),
    };
    match call.session.set_availability(own.mailbox_id, availability).await {
        Err(StoreError::Invalid(error)) => {
            tracing::debug!(error, "an availability was refused");
            Ok(answer(place, update, &[NAME], Precondition::ValidCalendarData))
        }
        set => {
            set?;
            Ok(answer(place, update, &[], PROTECTED))
        }
    }
}

/// Whether an update is about this property alone.
pub(super) fn is_all_of(update: &PropertyUpdate) -> bool {
    update.changes.iter().all(|change| *change.name() == NAME)
}

const NAME: Name = Name::caldav("calendar-availability");
