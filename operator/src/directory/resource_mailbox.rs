//! ResourceMailbox → account of the directory.

use super::declared::{Composed, Declaration, Declared, Reclaim, account, check_domain, texts};
use super::mailbox::{quota, quota_finding};
use super::tenant::directory_name;
use super::world::World;
use crate::conditions::Finding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::conditions::types;
use kontor_crds::{
    AutomateProcessing, Booking, Location, ResourceMailbox, ResourceMailboxStatus, ResourceType, WorkingHours,
};
use kontor_storage_client::proto::{self, ApplyResult, put::Object};
use kube::ResourceExt;

impl Declared for ResourceMailbox {
    type Status = ResourceMailboxStatus;
    const ENTRY: &'static str = "account";

    fn status(&self) -> Option<&ResourceMailboxStatus> {
        self.status.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default()
    }

    fn declare(&self, world: &World) -> Result<Declaration, Finding> {
        let home = self.namespace().unwrap_or_default();
        let spec = &self.spec;
        let place = world.place(&spec.domain_ref, &home)?;
        check_domain(&spec.primary_address, &place)?;
        let kind = match spec.resource_type {
            ResourceType::Room => "room",
            ResourceType::Equipment => "equipment",
        };
        let mut account =
            account(&spec.primary_address, &directory_name(&place.tenant, &place.deployment), kind);
        let mut managed = vec!["address", "kind"];
        if let Some(aliases) = &spec.aliases {
            account.aliases = texts(aliases);
            managed.push("aliases");
        }
        if let Some(name) = &spec.display_name {
            account.display_name = name.clone();
            managed.push("display_name");
        }
        if let Some(hidden) = spec.hidden_from_address_lists {
            account.hidden = hidden;
            managed.push("hidden");
        }
        if let Some(capacity) = spec.capacity {
            account.capacity = capacity;
            managed.push("capacity");
        }
        if let Some(place) = &spec.location {
            account.location = location(place);
            managed.push("location");
        }
        if let Some(rules) = &spec.booking {
            account.booking = Some(booking(rules));
            managed.push("booking");
        }
        if let Some(quota) = quota(spec.quota.as_ref(), &place)? {
            account.quota = quota;
            managed.push("quota");
        }
        Ok(Declaration {
            deployment: place.deployment,
            object: Object::Account(account),
            managed,
            findings: Vec::new(),
            members: None,
        })
    }

    fn judge(&self, answer: &ApplyResult) -> Vec<Finding> {
        quota_finding(self.spec.quota.as_ref(), answer.used).into_iter().collect()
    }

    fn compose(&self, conditions: Vec<Condition>, outcome: &Composed<'_>) -> ResourceMailboxStatus {
        let before = self.status.clone().unwrap_or_default();
        let id = outcome.answer.map(|a| a.mailbox_id).filter(|id| *id > 0);
        let address = outcome.answer.map(|_| self.spec.primary_address.0.clone());
        ResourceMailboxStatus {
            observed_generation: self.metadata.generation,
            conditions,
            mailbox_id: id.or(before.mailbox_id),
            address: address.or(before.address),
        }
    }

    fn reclaim(&self) -> Reclaim {
        (&self.spec.reclaim_policy).into()
    }

    fn face(&self) -> serde_json::Value {
        serde_json::json!([
            self.spec.primary_address,
            self.metadata.labels,
            self.metadata.deletion_timestamp.is_some(),
            crate::conditions::is_true(self.conditions(), types::PROVISIONED),
        ])
    }
}

/// Where it is, as one line.
fn location(place: &Location) -> String {
    let parts = [&place.building, &place.floor, &place.city];
    let parts = parts.into_iter().flatten().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(", ")
}

/// The rules as the store takes them.
fn booking(rules: &Booking) -> proto::Booking {
    let way = match rules.automate_processing {
        AutomateProcessing::None => "None",
        AutomateProcessing::AutoUpdate => "AutoUpdate",
        AutomateProcessing::AutoAccept => "AutoAccept",
    };
    proto::Booking {
        automate_processing: Some(way.to_owned()),
        allow_conflicts: Some(rules.allow_conflicts),
        max_conflict_instances: Some(rules.max_conflict_instances),
        max_conflict_percentage: Some(rules.max_conflict_percentage),
        booking_window_days: Some(rules.booking_window_days),
        maximum_duration_minutes: Some(rules.maximum_duration_minutes),
        allow_recurring: Some(rules.allow_recurring),
        working_hours: rules.working_hours.as_ref().map(working_hours),
        enforce_capacity: Some(rules.enforce_capacity),
        delete_subject: Some(rules.delete_subject),
        add_organizer_to_subject: Some(rules.add_organizer_to_subject),
        delegates: texts(&rules.delegates),
        all_book_in_policy: rules.all_book_in_policy,
        book_in_policy: texts(&rules.book_in_policy),
        all_request_in_policy: rules.all_request_in_policy,
        request_in_policy: texts(&rules.request_in_policy),
        process_external_meeting_messages: Some(rules.process_external_meeting_messages),
    }
}

fn working_hours(hours: &WorkingHours) -> proto::WorkingHours {
    // The API server let only clock times through.
    let minutes = |clock: &str| {
        let (hour, minute) = clock.split_once(':').unwrap_or_default();
        hour.parse::<u32>().unwrap_or(0) * 60 + minute.parse::<u32>().unwrap_or(0)
    };
    proto::WorkingHours {
        days: hours.days.iter().fold(0, |days, day| days | 1 << (*day as u32)),
        from: minutes(&hours.start),
        until: minutes(&hours.end),
        time_zone: hours.time_zone.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_crds::Weekday;

    #[test]
    fn rules_are_passed_on_whole() {
        let rules: Booking = serde_json::from_value(serde_json::json!({
            "bookInPolicy": ["board@acme.example"],
            "requestInPolicy": ["anna@acme.example"],
            "delegates": ["ben@acme.example"],
            "maxConflictInstances": 2,
            "workingHours": {"start": "08:30", "end": "24:00", "timeZone": "Europe/Berlin"},
        }))
        .expect("rules");
        let wire = booking(&rules);
        let expected = proto::Booking {
            max_conflict_instances: Some(2),
            working_hours: Some(proto::WorkingHours {
                days: 0b1_1111,
                from: 510,
                until: 1440,
                time_zone: "Europe/Berlin".into(),
            }),
            delegates: vec!["ben@acme.example".into()],
            book_in_policy: vec!["board@acme.example".into()],
            request_in_policy: vec!["anna@acme.example".into()],
            ..booking(&Booking::default())
        };
        assert_eq!(wire, expected);
        assert_eq!(wire.all_book_in_policy, None, "the store decides by the list");
        let sunday = WorkingHours { days: vec![Weekday::Sunday], ..rules.working_hours.expect("hours") };
        assert_eq!(working_hours(&sunday).days, 1 << 6);
    }

    /// The schema's defaults are those of a new room in the store.
    #[test]
    fn defaults_are_those_of_the_store() {
        let empty: Booking = serde_json::from_value(serde_json::json!({})).expect("rules");
        assert_eq!(empty, Booking::default());
        let wire = booking(&empty);
        assert_eq!(wire.booking_window_days, Some(180));
        assert_eq!(wire.maximum_duration_minutes, Some(1440));
        assert_eq!((wire.allow_conflicts, wire.allow_recurring), (Some(false), Some(true)));
        assert_eq!((wire.delete_subject, wire.add_organizer_to_subject), (Some(true), Some(true)));
        assert_eq!((wire.max_conflict_instances, wire.max_conflict_percentage), (Some(0), Some(100)));
    }

    #[test]
    fn a_location_is_one_line() {
        let place = Location { building: Some(" Main ".into()), floor: None, city: Some("Berlin".into()) };
        assert_eq!(location(&place), "Main, Berlin");
    }
}
