//! The meeting as a client of MAPI would see it: its properties read through the store API, against what MS-OXOCAL says.

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_model::property::{Bag, FileTime, named};
use kontor_model::recurrence::{End, Pattern, StoredFrequency, StoredRecurrence};
use kontor_model::time_zone::TimeZoneDefinition;
use kontor_model::{FolderRole, GlobalObjectId};
use kontor_storage_client::{StoreClient, proto};

/// What differs between the copies.
pub struct Copy {
    /// PidLidAppointmentStateFlags (MS-OXOCAL 2.2.1.10)
    pub state: i32,
    /// PidLidResponseStatus (MS-OXOCAL 2.2.1.11)
    pub response: i32,
}

/// The organizer's: a meeting that was not received.
pub const ORGANIZERS: Copy = Copy { state: 1, response: 1 };
/// That of an attendee who has accepted.
pub const ACCEPTED: Copy = Copy { state: 3, response: 3 };

/// The weekly meeting at nine, six times from 2026-12-03 on, the second a day later and the third called off.
pub async fn are_as_specified(appliance: &Appliance, account: &Account, expected: &Copy) -> Result<()> {
    let bag = of_meeting(appliance, account).await?;
    let number = |name| bag.integer32(name);
    ensure!(number(named::APPOINTMENT_STATE_FLAGS) == Some(expected.state), "{bag:?}");
    ensure!(number(named::RESPONSE_STATUS) == Some(expected.response), "{bag:?}");
    ensure!(
        number(named::BUSY_STATUS) == Some(2) && number(named::APPOINTMENT_SEQUENCE) == Some(1),
        "{bag:?}"
    );
    ensure!(bag.boolean(named::RECURRING) && bag.boolean(named::IS_RECURRING), "{bag:?}");
    ensure!(number(named::RECURRENCE_TYPE) == Some(2), "weekly: {bag:?}");
    ensure!(bag.string(named::LOCATION) == Some("Caf\u{e9}"), "{bag:?}");
    // 2026-12-03T08:00:00Z, nine in Berlin.
    let first = 1_796_284_800;
    let time = |name| bag.time(name);
    ensure!(time(named::APPOINTMENT_START_WHOLE) == Some(FileTime::from_unix(first)), "{bag:?}");
    ensure!(time(named::APPOINTMENT_END_WHOLE) == Some(FileTime::from_unix(first + 3600)), "{bag:?}");
    ensure!(number(named::APPOINTMENT_DURATION) == Some(60), "{bag:?}");

    let id = bag.binary(named::GLOBAL_OBJECT_ID).context("PidLidGlobalObjectId")?;
    ensure!(bag.binary(named::CLEAN_GLOBAL_OBJECT_ID) == Some(id), "of a series both are the same");
    ensure!(GlobalObjectId::read(id)?.uid() == "plan-1");
    let zone = bag.binary(named::APPOINTMENT_TIME_ZONE_DEFINITION_RECUR).context("the zone of the series")?;
    ensure!(TimeZoneDefinition::decode(zone)?.key_name == "W. Europe Standard Time");

    let octets = bag.binary(named::APPOINTMENT_RECUR).context("PidLidAppointmentRecur")?;
    let stored = StoredRecurrence::read(octets)?;
    let pattern = &stored.pattern;
    ensure!(
        pattern.frequency == StoredFrequency::Weekly && pattern.pattern == Pattern::Week(THURSDAY),
        "{stored:?}"
    );
    ensure!((pattern.period, pattern.end, pattern.count) == (1, End::Count, 6), "{stored:?}");
    ensure!((stored.start_offset, stored.end_offset) == (9 * 60, 10 * 60), "{stored:?}");
    ensure!((pattern.start, pattern.last) == (midnight(3), midnight(3) + 5 * WEEK), "{stored:?}");
    // The day of what was moved is among those that are gone (MS-OXOCAL 2.2.1.44.1).
    ensure!(pattern.deleted == [midnight(10), midnight(17)], "{stored:?}");
    ensure!(pattern.modified == [midnight(11)], "{stored:?}");
    let [moved] = stored.exceptions.as_slice() else { anyhow::bail!("one is moved: {stored:?}") };
    ensure!(moved.original_start == midnight(10) + 9 * 60, "{moved:?}");
    ensure!((moved.start, moved.end) == (midnight(11) + 9 * 60, midnight(11) + 10 * 60), "{moved:?}");
    Ok(())
}

/// The properties of the one meeting in somebody's calendar.
async fn of_meeting(appliance: &Appliance, account: &Account) -> Result<Bag> {
    let store = StoreClient::connect_unix(appliance.data().join("admin.sock"));
    let session = store.authenticate(&account.address, "", &account.password, "test", "127.0.0.1").await?;
    let request = proto::ItemsRequest {
        mailbox_id: session.info().mailbox_id,
        folder_id: FolderRole::Calendar.code().into(),
        properties: true,
        ..Default::default()
    };
    let mut stream = session.items(request).await?;
    let mut found = Vec::new();
    while let Some(chunk) = stream.message().await? {
        found.extend(chunk.items.into_iter().filter_map(|item| item.properties));
    }
    let [octets] = found.as_slice() else { anyhow::bail!("{} items in the calendar", found.len()) };
    Ok(Bag::decode(octets)?)
}

/// Midnight of a day in December 2026, in minutes from 1601.
const fn midnight(day: u32) -> u32 {
    // 2026-12-01 is day 155,562 from 1601-01-01.
    (155_562 + day - 1) * 24 * 60
}

/// Bits of the days of the week, Sunday the lowest.
const THURSDAY: u32 = 1 << 4;
const WEEK: u32 = 7 * 24 * 60;
