//! The rules of rooms and equipment: on the wire and in the database.

use kontor_model::booking::{AutomateProcessing, RuleError, Rules, WorkingHours};
use kontor_storage_proto as proto;
use prost::Message;

use super::Directory;
use crate::address::Address;
use crate::error::{Error, bigint};

/// Whether accounts of this kind answer for themselves.
pub(crate) fn is_resource(kind: &str) -> bool {
    matches!(kind, "room" | "equipment")
}

/// The rules of an account as its row has them; `None` where it is no resource.
pub(crate) fn stored(kind: &str, booking: Option<&[u8]>, capacity: i32) -> Result<Option<Rules>, Error> {
    if !is_resource(kind) {
        return Ok(None);
    }
    let booking = proto::Booking::decode(booking.unwrap_or_default())
        .map_err(|error| Error::Internal(format!("the booking rules of an account: {error}")))?;
    let mut rules = of_wire(&booking).map_err(|error| Error::Internal(error.to_string()))?;
    rules.capacity = u32::try_from(capacity).unwrap_or(0);
    Ok(Some(rules))
}

/// The rules that a message says; what it leaves out is as for a new room.
pub(super) fn of_wire(booking: &proto::Booking) -> Result<Rules, RuleError> {
    let new = Rules::default();
    let automate_processing = match booking.automate_processing.as_deref().unwrap_or_default() {
        "" => new.automate_processing,
        word => AutomateProcessing::of(word).ok_or_else(|| RuleError {
            rule: "automate_processing",
            why: format!(
                "{word:?} is not one of {}",
                AutomateProcessing::ALL.map(|way| way.as_str()).join(", ")
            ),
        })?,
    };
    let working_hours = booking.working_hours.as_ref().map(|hours| WorkingHours {
        // A bit that does not fit is no day.
        days: u8::try_from(hours.days).unwrap_or(0),
        from: hours.from,
        until: hours.until,
        time_zone: hours.time_zone.clone(),
    });
    Ok(Rules {
        automate_processing,
        allow_conflicts: booking.allow_conflicts.unwrap_or(new.allow_conflicts),
        max_conflict_instances: booking.max_conflict_instances.unwrap_or(new.max_conflict_instances),
        max_conflict_percentage: booking.max_conflict_percentage.unwrap_or(new.max_conflict_percentage),
        booking_window_days: booking.booking_window_days.unwrap_or(new.booking_window_days),
        maximum_duration_minutes: booking.maximum_duration_minutes.unwrap_or(new.maximum_duration_minutes),
        allow_recurring: booking.allow_recurring.unwrap_or(new.allow_recurring),
        working_hours,
        enforce_capacity: booking.enforce_capacity.unwrap_or(new.enforce_capacity),
        capacity: new.capacity,
        delete_subject: booking.delete_subject.unwrap_or(new.delete_subject),
        add_organizer_to_subject: booking.add_organizer_to_subject.unwrap_or(new.add_organizer_to_subject),
        delegates: booking.delegates.clone(),
        all_book_in_policy: booking.all_book_in_policy.unwrap_or(booking.book_in_policy.is_empty()),
        book_in_policy: booking.book_in_policy.clone(),
        all_request_in_policy: booking.all_request_in_policy.unwrap_or(new.all_request_in_policy),
        request_in_policy: booking.request_in_policy.clone(),
        process_external_meeting_messages: booking
            .process_external_meeting_messages
            .unwrap_or(new.process_external_meeting_messages),
    })
}

/// The message that says all of these rules, apart from the capacity, which stands beside it.
pub(super) fn to_wire(rules: &Rules) -> proto::Booking {
    proto::Booking {
        automate_processing: Some(rules.automate_processing.as_str().to_owned()),
        allow_conflicts: Some(rules.allow_conflicts),
        max_conflict_instances: Some(rules.max_conflict_instances),
        max_conflict_percentage: Some(rules.max_conflict_percentage),
        booking_window_days: Some(rules.booking_window_days),
        maximum_duration_minutes: Some(rules.maximum_duration_minutes),
        allow_recurring: Some(rules.allow_recurring),
        working_hours: rules.working_hours.as_ref().map(|hours| proto::WorkingHours {
            days: u32::from(hours.days),
            from: hours.from,
            until: hours.until,
            time_zone: hours.time_zone.clone(),
        }),
        enforce_capacity: Some(rules.enforce_capacity),
        delete_subject: Some(rules.delete_subject),
        add_organizer_to_subject: Some(rules.add_organizer_to_subject),
        delegates: rules.delegates.clone(),
        all_book_in_policy: Some(rules.all_book_in_policy),
        book_in_policy: rules.book_in_policy.clone(),
        all_request_in_policy: Some(rules.all_request_in_policy),
        request_in_policy: rules.request_in_policy.clone(),
        process_external_meeting_messages: Some(rules.process_external_meeting_messages),
    }
}

impl Directory {
    /// The rules of the resource that a mailbox is of; `None` where it is of none.
    pub async fn booking_rules(&self, mailbox: u64) -> Result<Option<Rules>, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached("SELECT kind, booking, capacity FROM account WHERE mailbox_id = $1")
            .await?;
        match client.query_opt(&statement, &[&bigint(mailbox)]).await? {
            Some(row) => stored(row.get(0), row.get(1), row.get(2)),
            None => Ok(None),
        }
    }

    /// Every address of somebody of a tenant, and those of the groups that they are in; `None` where nobody of the tenant
    /// has this address.
    pub async fn names(&self, tenant: u64, address: &str) -> Result<Option<Vec<String>>, Error> {
        let Ok(address) = Address::parse(address) else { return Ok(None) };
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "WITH who AS (
                     SELECT a.account_id, a.address FROM address n JOIN account a USING (account_id)
                     WHERE n.tenant_id = $1 AND n.address = coalesce(
                         (SELECT split_part($2, '@', 1) || '@' || d.alias_of FROM domain d
                          WHERE d.name = split_part($2, '@', 2) AND d.alias_of <> ''), $2))
                 SELECT n.address FROM who JOIN address n USING (account_id)
                 UNION SELECT n.address FROM who
                     JOIN mail_group g ON g.tenant_id = $1 AND g.members @> ARRAY[who.address]
                     JOIN address n USING (group_id)",
            )
            .await?;
        let rows = client.query(&statement, &[&bigint(tenant), &address.to_string()]).await?;
        Ok((!rows.is_empty()).then(|| rows.iter().map(|row| row.get(0)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_goes_to_the_database_and_back() {
        let rules = Rules {
            automate_processing: AutomateProcessing::AutoUpdate,
            allow_conflicts: true,
            max_conflict_instances: 3,
            max_conflict_percentage: 20,
            booking_window_days: 0,
            maximum_duration_minutes: 0,
            allow_recurring: false,
            working_hours: Some(WorkingHours {
                days: 0b1_1111,
                from: 480,
                until: 1080,
                time_zone: "Europe/Berlin".into(),
            }),
            enforce_capacity: true,
            capacity: 12,
            delete_subject: false,
            add_organizer_to_subject: false,
            delegates: vec!["boss@example.org".into()],
            all_book_in_policy: false,
            book_in_policy: vec!["anna@example.org".into()],
            all_request_in_policy: true,
            request_in_policy: vec!["ben@example.org".into()],
            process_external_meeting_messages: true,
        };
        let bytes = to_wire(&rules).encode_to_vec();
        assert_eq!(stored("room", Some(&bytes), 12).expect("rules"), Some(rules));
        let new = Rules { capacity: 4, ..Rules::default() };
        assert_eq!(stored("equipment", None, 4).expect("rules"), Some(new.clone()));
        assert_eq!(stored("equipment", Some(&to_wire(&new).encode_to_vec()), 4).expect("rules"), Some(new));
        assert_eq!(stored("user", Some(&bytes), 12).expect("nothing"), None);
    }

    #[test]
    fn a_list_of_who_may_book_is_all_who_may() {
        let some = proto::Booking { book_in_policy: vec!["anna@example.org".into()], ..Default::default() };
        assert!(!of_wire(&some).expect("rules").all_book_in_policy);
        assert!(of_wire(&proto::Booking::default()).expect("rules").all_book_in_policy);
        let both = proto::Booking { all_book_in_policy: Some(true), ..some };
        assert!(of_wire(&both).expect("rules").all_book_in_policy);
        let wrong = proto::Booking { automate_processing: Some("Perhaps".into()), ..Default::default() };
        assert_eq!(of_wire(&wrong).expect_err("no such way").rule, "automate_processing");
    }
}
