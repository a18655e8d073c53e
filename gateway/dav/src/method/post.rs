//! POST (RFC 9110 §9.3.3): what it is, the place says.

use super::{outbox, share};
use crate::answer::{Answer, Failure};
use crate::call::Call;
use crate::home::OUTBOX;
use crate::place::{Place, Tree};

pub(crate) async fn post(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    match place {
        Place::Collection(Tree::Calendars, _, slug) if slug == OUTBOX => outbox::post(call, place).await,
        Place::Collection(tree, address, slug) => {
            let collection = call.collection(*tree, address, slug).await?;
            share::share(call, &collection).await
        }
        Place::Home(tree, address) if address.eq_ignore_ascii_case(&call.session.info().address) => {
            share::invite_reply(call, *tree).await
        }
        Place::Home(tree, address) => {
            call.collections(*tree, address).await?;
            Err(Failure::forbidden("this is the home of somebody else"))
        }
        _ => Err(Call::not_here()),
    }
}
