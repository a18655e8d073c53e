//! PROPFIND (RFC 4918 §9.1).

use http::header::HeaderName;
use kontor_dav_proto::Precondition;
use kontor_dav_proto::header::Depth;
use kontor_dav_proto::request::PropFind;
use kontor_dav_proto::response::Multistatus;
use kontor_storage_client::proto::{Item, ItemsRequest, Rights};

use super::search::person;
use crate::answer::{Answer, Failure, multistatus, put};
use crate::call::Call;
use crate::derived::Source;
use crate::home::{Collection, OUTBOX};
use crate::listing::{Lister, cut_off, list};
use crate::place::{Place, Tree};
use crate::property::place::below;
use crate::property::{
    CollectionResource, ItemResource, OutboxResource, Permissions, PlaceResource, PrincipalResource,
    ProxyResource, Resource, Wanted, needs_permissions, response,
};

pub(crate) async fn propfind(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    let depth = call.depth(Depth::Infinity)?;
    let prefer = call.prefer();
    let wanted = Wanted {
        properties: PropFind::parse(&call.body, call.limits)?,
        calendar_data: None,
        address_data: None,
        minimal: prefer.is_minimal(),
        without_zones: call.without_zones()?,
    };
    let mut answer = describe(call, place, depth, wanted, !prefer.depth_noroot).await?;
    if let Some(applied) = prefer.applied() {
        put(&mut answer, HeaderName::from_static("preference-applied"), applied);
    }
    Ok(answer)
}

async fn describe(
    call: &Call<'_>,
    place: &Place,
    depth: Depth,
    wanted: Wanted,
    with_root: bool,
) -> Result<Answer, Failure> {
    let viewer = call.session.info().address.as_str();
    let mut out = Multistatus::new();
    let is_deep = depth > Depth::Zero;
    let say = |out: &mut Multistatus, resource: &dyn DynResource| {
        out.response(&resource.response(&wanted));
    };
    match place {
        Place::Item(tree, address, slug, name) => {
            let collection = call.collection(*tree, address, slug).await?;
            let item = call.item(&collection, name, wanted.needs_body()).await?;
            let mut lister = Members::new(call, collection, wanted);
            lister.item(&item, &mut out);
        }
        Place::Collection(Tree::Calendars, address, slug) if slug == OUTBOX => {
            if !address.eq_ignore_ascii_case(viewer) {
                return Err(Failure::not_found());
            }
            say(&mut out, &OutboxResource { owner: viewer });
        }
        Place::Collection(tree, address, slug) => {
            let collection = call.collection(*tree, address, slug).await?;
            if with_root {
                let permissions = permissions(call, &collection, &wanted.properties).await?;
                say(&mut out, &of_collection(call, &collection, permissions));
            }
            if is_deep && collection.may(Rights::Read) {
                let request = ItemsRequest { body: wanted.needs_body(), ..ItemsRequest::default() };
                let items = call.items(&collection, request).await?;
                return list(items, Members::new(call, collection, wanted), out).await;
            }
        }
        Place::Home(tree, address) => {
            let collections = call.collections(*tree, address).await?;
            if depth == Depth::Infinity {
                return Err(INFINITE);
            }
            if with_root {
                let collections = collections.as_slice();
                say(&mut out, &PlaceResource { place, viewer, collections });
            }
            if is_deep {
                for collection in &collections {
                    let permissions = permissions(call, collection, &wanted.properties).await?;
                    say(&mut out, &of_collection(call, collection, permissions));
                }
                if *tree == Tree::Calendars && address.eq_ignore_ascii_case(viewer) {
                    say(&mut out, &OutboxResource { owner: viewer });
                }
            }
        }
        // It is had with GET alone.
        Place::Attachment(..) => return Err(Call::not_here()),
        Place::Principal(address) => {
            let person = person(call, address).await?;
            say(&mut out, &PrincipalResource { person: &person, viewer });
            if is_deep {
                for writes in [false, true] {
                    let members = members(call, &person.address, writes).await?;
                    let owner = person.address.as_str();
                    say(&mut out, &ProxyResource { owner, writes, members: members.as_deref(), viewer });
                }
            }
        }
        Place::Proxy(address, writes) => {
            let person = person(call, address).await?;
            let members = members(call, &person.address, *writes).await?;
            let owner = person.address.as_str();
            say(&mut out, &ProxyResource { owner, writes: *writes, members: members.as_deref(), viewer });
        }
        Place::Root | Place::Principals | Place::Homes(_) => {
            if depth == Depth::Infinity {
                return Err(INFINITE);
            }
            if with_root {
                say(&mut out, &PlaceResource { place, viewer, collections: &[] });
            }
            if is_deep {
                for place in &below(place, viewer) {
                    say(&mut out, &PlaceResource { place, viewer, collections: &[] });
                }
                if *place == Place::Principals {
                    let person = person(call, viewer).await?;
                    say(&mut out, &PrincipalResource { person: &person, viewer });
                }
            }
        }
    }
    Ok(multistatus(out))
}

/// Resources of several kinds in one place.
trait DynResource {
    fn response(&self, wanted: &Wanted) -> kontor_dav_proto::response::Response;
}

impl<R: Resource> DynResource for R {
    fn response(&self, wanted: &Wanted) -> kontor_dav_proto::response::Response {
        response(self, &wanted.properties, wanted.minimal)
    }
}

pub(super) fn of_collection<'a>(
    call: &'a Call<'_>,
    collection: &'a Collection,
    permissions: Permissions,
) -> CollectionResource<'a> {
    let viewer = call.session.info().address.as_str();
    let (max_item, max_attachment) = (call.config.max_item, call.config.max_attachment);
    CollectionResource { collection, viewer, max_item, max_attachment, permissions }
}

/// Who may do what in a collection, where it is asked for and may be told.
pub(super) async fn permissions(
    call: &Call<'_>,
    collection: &Collection,
    wanted: &PropFind,
) -> Result<Permissions, Failure> {
    let is_asked = match wanted {
        PropFind::Listed(names) | PropFind::All { include: names } => names.iter().any(needs_permissions),
        PropFind::Names => true,
    };
    if !is_asked || !collection.may(Rights::Owner) || !matches!(collection.source, Source::Folder) {
        return Ok(None);
    }
    let (mailbox, folder) = (collection.mailbox_id, collection.folder.folder_id);
    Ok(Some(call.session.named_permissions(mailbox, folder).await?))
}

/// The addresses of those who act for somebody; only the owner is told.
pub(super) async fn members(
    call: &Call<'_>,
    owner: &str,
    writes: bool,
) -> Result<Option<Vec<String>>, Failure> {
    if !owner.eq_ignore_ascii_case(&call.session.info().address) {
        return Ok(None);
    }
    let proxies = call.session.calendar_proxies().await?.by.into_iter();
    Ok(Some(proxies.filter(|proxy| proxy.writes == writes).map(|proxy| proxy.address).collect()))
}

/// Says what is wanted of every item.
pub(super) struct Members {
    collection: Collection,
    viewer: String,
    wanted: Wanted,
    floating: kontor_model::time_zone::TimeZone,
}

impl Members {
    pub fn new(call: &Call<'_>, collection: Collection, wanted: Wanted) -> Self {
        let viewer = call.session.info().address.clone();
        Self { floating: collection.time_zone(), collection, viewer, wanted }
    }

    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    pub const fn floating(&self) -> &kontor_model::time_zone::TimeZone {
        &self.floating
    }
}

impl Lister for Members {
    fn item(&mut self, item: &Item, out: &mut Multistatus) {
        let resource = ItemResource {
            collection: &self.collection,
            item,
            viewer: &self.viewer,
            calendar_data: self.wanted.calendar_data.as_ref(),
            address_data: self.wanted.address_data.as_ref(),
            without_zones: self.wanted.without_zones,
            floating: &self.floating,
        };
        out.response(&response(&resource, &self.wanted.properties, self.wanted.minimal));
    }

    fn end(&mut self, _: u64, _: &[String], _: &mut Multistatus) -> Option<String> {
        None
    }

    fn cut(&mut self, out: &mut Multistatus) {
        out.response(&cut_off(&self.collection));
    }
}

const INFINITE: Failure = Failure::Protocol(kontor_dav_proto::Error::Precondition(
    Precondition::PropfindFiniteDepth,
    "ask level by level",
));
