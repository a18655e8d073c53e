//! `ResourceMailbox` (`rmbx`): a room or a piece of equipment.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MailAddress, MailboxQuota, MailboxReclaimPolicy, Reference};

/// A room or a piece of equipment: a mailbox that nobody logs in to, which address books show as what it is.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "kontor.dev",
    version = "v1alpha1",
    kind = "ResourceMailbox",
    plural = "resourcemailboxes",
    namespaced,
    shortname = "rmbx",
    category = "groupware",
    status = "ResourceMailboxStatus",
    derive = "PartialEq",
    doc = "A room or a piece of equipment: a mailbox that nobody logs in to, which address books show as what it is.",
    cel,
    printcolumn = r#"{"name":"Address","type":"string","jsonPath":".spec.primaryAddress"}"#,
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.resourceType"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status","description":"Whether the directory holds what this says."}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type=='Ready')].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    selectable = ".spec.primaryAddress"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "self.primaryAddress == oldSelf.primaryAddress || (has(self.aliases) && oldSelf.primaryAddress in self.aliases)",
        "a renamed resource keeps its old address: add it to aliases"
    ),
    validation = (
        "!has(self.aliases) || !(self.primaryAddress in self.aliases)",
        "aliases: the primary address is not one of them"
    ),
    validation = (
        "self.resourceType == 'Room' || !has(self.capacity)",
        "capacity: only a room holds people"
    ),
    validation = (
        "!has(self.booking) || !self.booking.enforceCapacity || (has(self.capacity) && self.capacity > 0)",
        "booking.enforceCapacity: the capacity is not set"
    )
)]
pub struct ResourceMailboxSpec {
    /// The MailDomain of the primary address. It cannot be changed. A domain in another namespace must belong to a
    /// Tenant that admits this namespace.
    #[x_kube(validation = ("self == oldSelf", "domainRef cannot be changed: add an alias in the other domain, or make a new resource"))]
    pub domain_ref: Reference,

    /// The address that invitations go to, in the domain of `domainRef`. When it changes, the old one must stay among
    /// `aliases`.
    pub primary_address: MailAddress,

    /// Further addresses that it receives for, in domains of the same tenant. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200), extend("x-kubernetes-list-type" = "set"))]
    pub aliases: Option<Vec<MailAddress>>,

    /// Name for people. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,

    /// `Room` or `Equipment`.
    pub resource_type: ResourceType,

    /// How many people the room holds. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub capacity: Option<u32>,

    /// Where it is. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,

    /// How it answers requests. Unset: not managed, and the defaults of these rules for a new resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking: Option<Booking>,

    /// How much it may hold. Unset: the tenant's `defaultQuota`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<MailboxQuota>,

    /// Whether address books leave it out. Unset: not managed, and false for a new resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_from_address_lists: Option<bool>,

    /// What becomes of the mailbox when this resource is deleted. Default: Retain.
    #[serde(default)]
    pub reclaim_policy: MailboxReclaimPolicy,
}

/// What it is.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum ResourceType {
    /// A room that meetings are in.
    #[default]
    Room,
    /// Something that is taken along.
    Equipment,
}

/// Where a resource is, for people.
#[derive(JsonSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The building.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub building: Option<String>,

    /// The floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub floor: Option<String>,

    /// The city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub city: Option<String>,
}

/// How a resource answers requests. All of it is managed: what is not set is as its default.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "self.automateProcessing == 'AutoAccept' || (has(self.delegates) && self.delegates.size() > 0)",
        "booking.delegates: without AutoAccept somebody has to answer; name delegates"
    ),
    validation = (
        "!((has(self.allRequestInPolicy) && self.allRequestInPolicy) || (has(self.requestInPolicy) && self.requestInPolicy.size() > 0)) || (has(self.delegates) && self.delegates.size() > 0)",
        "booking.delegates: requests that are not booked directly need somebody to decide; name delegates"
    )
)]
pub struct Booking {
    /// `AutoAccept`: requests are answered by these rules. `AutoUpdate`: they are put into the calendar, and a delegate
    /// answers them. `None`: they lie in the inbox. Default: AutoAccept.
    #[serde(default)]
    pub automate_processing: AutomateProcessing,

    /// Whether it may be booked by several at the same time. Default: false.
    #[serde(default)]
    pub allow_conflicts: bool,

    /// Of a recurring meeting, so many instances may be declined because the resource is taken, and the others accepted.
    /// Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub max_conflict_instances: u32,

    /// Of the instances of a recurring meeting, not more than so many percent may be declined so. Default: 100.
    #[serde(default = "hundred")]
    #[schemars(range(min = 0, max = 100))]
    pub max_conflict_percentage: u32,

    /// How many days in advance it can be booked. A recurring meeting has to end by then. Default: 180.
    #[serde(default = "half_a_year")]
    #[schemars(range(min = 0, max = 1080))]
    pub booking_window_days: u32,

    /// How long a meeting may be; 0 is no limit. Default: 1440, a day.
    #[serde(default = "a_day")]
    #[schemars(range(min = 0, max = 527_040))]
    pub maximum_duration_minutes: u32,

    /// Whether it can be booked for recurring meetings. Default: true.
    #[serde(default = "yes")]
    pub allow_recurring: bool,

    /// When it can be booked. Unset: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_hours: Option<WorkingHours>,

    /// Whether meetings with more people than `capacity` are declined. Default: false.
    #[serde(default)]
    pub enforce_capacity: bool,

    /// Whether its calendar leaves out what a meeting is about. Default: true.
    #[serde(default = "yes")]
    pub delete_subject: bool,

    /// Whether its calendar says whose a meeting is. Default: true.
    #[serde(default = "yes")]
    pub add_organizer_to_subject: bool,

    /// Who decides where the rules do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"))]
    pub delegates: Vec<MailAddress>,

    /// Whether everybody of the tenant may book it. Default: whether `bookInPolicy` is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_book_in_policy: Option<bool>,

    /// People and groups who may book it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), extend("x-kubernetes-list-type" = "set"))]
    pub book_in_policy: Vec<MailAddress>,

    /// Whether everybody who may not book it may ask the delegates. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_request_in_policy: Option<bool>,

    /// People and groups who may ask the delegates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), extend("x-kubernetes-list-type" = "set"))]
    pub request_in_policy: Vec<MailAddress>,

    /// Whether people of elsewhere may book it like everybody else; their requests lie in the inbox otherwise. Default:
    /// false.
    #[serde(default)]
    pub process_external_meeting_messages: bool,
}

impl Default for Booking {
    fn default() -> Self {
        Self {
            automate_processing: AutomateProcessing::AutoAccept,
            allow_conflicts: false,
            max_conflict_instances: 0,
            max_conflict_percentage: hundred(),
            booking_window_days: half_a_year(),
            maximum_duration_minutes: a_day(),
            allow_recurring: yes(),
            working_hours: None,
            enforce_capacity: false,
            delete_subject: yes(),
            add_organizer_to_subject: yes(),
            delegates: Vec::new(),
            all_book_in_policy: None,
            book_in_policy: Vec::new(),
            all_request_in_policy: None,
            request_in_policy: Vec::new(),
            process_external_meeting_messages: false,
        }
    }
}

fn hundred() -> u32 {
    100
}

fn half_a_year() -> u32 {
    180
}

fn a_day() -> u32 {
    1440
}

fn yes() -> bool {
    true
}

/// What happens to requests without anybody's doing.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum AutomateProcessing {
    /// Nothing.
    None,
    /// They are put into the calendar.
    AutoUpdate,
    /// They are answered.
    #[default]
    AutoAccept,
}

/// When a resource can be booked.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.start < self.end", "workingHours: the end is not after the start"))]
pub struct WorkingHours {
    /// Days of the week. Default: Monday to Friday.
    #[serde(default = "working_days")]
    #[schemars(length(min = 1, max = 7), extend("x-kubernetes-list-type" = "set"))]
    pub days: Vec<Weekday>,

    /// From when on, such as `08:00`.
    #[schemars(regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"), length(max = 5))]
    pub start: String,

    /// Until when, such as `18:00`; `24:00` is the end of the day.
    #[schemars(regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"), length(max = 5))]
    pub end: String,

    /// The time zone of these hours and of the resource, such as `Europe/Berlin`.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
}

fn working_days() -> Vec<Weekday> {
    vec![Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday]
}

/// A day of the week.
#[derive(JsonSchema, Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is its name")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// What the operator says of a room or a piece of equipment.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ResourceMailboxStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What holds: Ready sums up Accepted and Provisioned. QuotaExceeded and Drifted are bad when True. Each of them has
    /// a reason to act on and a message that says how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// Number of the mailbox in the store, as the `kontor` command shows it. It stays when the mailbox is renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox_id: Option<u64>,

    /// The primary address that the directory has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}
