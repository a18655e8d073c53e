//! The named properties of appointments, meetings, tasks, contacts and notes, by their canonical names (MS-OXPROPS 2).

use super::{Guid, NameKind, PropertyName, PropertyType};

macro_rules! named {
    ($($set:ident { $($name:ident = $id:literal, $kind:ident, $canonical:literal;)* })*) => {
        $($(
            #[doc = $canonical]
            pub const $name: PropertyName = PropertyName::id(Guid::$set, $id);
        )*)*

        /// Each of them with its type and its canonical name.
        pub const ALL: &[(PropertyName, PropertyType, &str)] =
            &[$($(($name, PropertyType::$kind, $canonical),)*)*];
    };
}

/// The canonical name of a named property that this module knows.
pub fn name_of(name: &PropertyName) -> Option<&'static str> {
    // By the number first: comparing sets is dearer, and most differ in it.
    let NameKind::Id(id) = name.kind else { return None };
    let is_it = |known: &PropertyName| known.kind == NameKind::Id(id) && known.set == name.set;
    ALL.iter().find(|(known, ..)| is_it(known)).map(|(.., canonical)| *canonical)
}

named! {
    PSETID_APPOINTMENT {
        APPOINTMENT_SEQUENCE = 0x8201, Integer32, "PidLidAppointmentSequence";
        BUSY_STATUS = 0x8205, Integer32, "PidLidBusyStatus";
        LOCATION = 0x8208, String, "PidLidLocation";
        APPOINTMENT_START_WHOLE = 0x820d, Time, "PidLidAppointmentStartWhole";
        APPOINTMENT_END_WHOLE = 0x820e, Time, "PidLidAppointmentEndWhole";
        APPOINTMENT_DURATION = 0x8213, Integer32, "PidLidAppointmentDuration";
        APPOINTMENT_SUB_TYPE = 0x8215, Boolean, "PidLidAppointmentSubType";
        APPOINTMENT_RECUR = 0x8216, Binary, "PidLidAppointmentRecur";
        APPOINTMENT_STATE_FLAGS = 0x8217, Integer32, "PidLidAppointmentStateFlags";
        RESPONSE_STATUS = 0x8218, Integer32, "PidLidResponseStatus";
        APPOINTMENT_REPLY_TIME = 0x8220, Time, "PidLidAppointmentReplyTime";
        RECURRING = 0x8223, Boolean, "PidLidRecurring";
        INTENDED_BUSY_STATUS = 0x8224, Integer32, "PidLidIntendedBusyStatus";
        EXCEPTION_REPLACE_TIME = 0x8228, Time, "PidLidExceptionReplaceTime";
        RECURRENCE_TYPE = 0x8231, Integer32, "PidLidRecurrenceType";
        RECURRENCE_PATTERN = 0x8232, String, "PidLidRecurrencePattern";
        TIME_ZONE_STRUCT = 0x8233, Binary, "PidLidTimeZoneStruct";
        TIME_ZONE_DESCRIPTION = 0x8234, String, "PidLidTimeZoneDescription";
        CLIP_START = 0x8235, Time, "PidLidClipStart";
        CLIP_END = 0x8236, Time, "PidLidClipEnd";
        ALL_ATTENDEES_STRING = 0x8238, String, "PidLidAllAttendeesString";
        TO_ATTENDEES_STRING = 0x823b, String, "PidLidToAttendeesString";
        CC_ATTENDEES_STRING = 0x823c, String, "PidLidCcAttendeesString";
        APPOINTMENT_PROPOSED_START_WHOLE = 0x8250, Time, "PidLidAppointmentProposedStartWhole";
        APPOINTMENT_PROPOSED_END_WHOLE = 0x8251, Time, "PidLidAppointmentProposedEndWhole";
        APPOINTMENT_PROPOSED_DURATION = 0x8256, Integer32, "PidLidAppointmentProposedDuration";
        APPOINTMENT_COUNTER_PROPOSAL = 0x8257, Boolean, "PidLidAppointmentCounterProposal";
        APPOINTMENT_TIME_ZONE_DEFINITION_START_DISPLAY = 0x825e, Binary,
            "PidLidAppointmentTimeZoneDefinitionStartDisplay";
        APPOINTMENT_TIME_ZONE_DEFINITION_END_DISPLAY = 0x825f, Binary,
            "PidLidAppointmentTimeZoneDefinitionEndDisplay";
        APPOINTMENT_TIME_ZONE_DEFINITION_RECUR = 0x8260, Binary, "PidLidAppointmentTimeZoneDefinitionRecur";
    }
    PSETID_MEETING {
        ATTENDEE_CRITICAL_CHANGE = 0x0001, Time, "PidLidAttendeeCriticalChange";
        WHERE = 0x0002, String, "PidLidWhere";
        GLOBAL_OBJECT_ID = 0x0003, Binary, "PidLidGlobalObjectId";
        IS_RECURRING = 0x0005, Boolean, "PidLidIsRecurring";
        OWNER_CRITICAL_CHANGE = 0x001a, Time, "PidLidOwnerCriticalChange";
        CLEAN_GLOBAL_OBJECT_ID = 0x0023, Binary, "PidLidCleanGlobalObjectId";
        MEETING_TYPE = 0x0026, Integer32, "PidLidMeetingType";
    }
    PSETID_COMMON {
        REMINDER_DELTA = 0x8501, Integer32, "PidLidReminderDelta";
        REMINDER_TIME = 0x8502, Time, "PidLidReminderTime";
        REMINDER_SET = 0x8503, Boolean, "PidLidReminderSet";
        PRIVATE = 0x8506, Boolean, "PidLidPrivate";
        SIDE_EFFECTS = 0x8510, Integer32, "PidLidSideEffects";
        COMMON_START = 0x8516, Time, "PidLidCommonStart";
        COMMON_END = 0x8517, Time, "PidLidCommonEnd";
        REMINDER_SIGNAL_TIME = 0x8560, Time, "PidLidReminderSignalTime";
    }
    PSETID_TASK {
        TASK_STATUS = 0x8101, Integer32, "PidLidTaskStatus";
        PERCENT_COMPLETE = 0x8102, Floating64, "PidLidPercentComplete";
        TASK_START_DATE = 0x8104, Time, "PidLidTaskStartDate";
        TASK_DUE_DATE = 0x8105, Time, "PidLidTaskDueDate";
        TASK_DATE_COMPLETED = 0x810f, Time, "PidLidTaskDateCompleted";
        TASK_ACTUAL_EFFORT = 0x8110, Integer32, "PidLidTaskActualEffort";
        TASK_ESTIMATED_EFFORT = 0x8111, Integer32, "PidLidTaskEstimatedEffort";
        TASK_VERSION = 0x8112, Integer32, "PidLidTaskVersion";
        TASK_STATE = 0x8113, Integer32, "PidLidTaskState";
        TASK_RECURRENCE = 0x8116, Binary, "PidLidTaskRecurrence";
        TASK_COMPLETE = 0x811c, Boolean, "PidLidTaskComplete";
        TASK_OWNER = 0x811f, String, "PidLidTaskOwner";
        TASK_ORDINAL = 0x8123, Integer32, "PidLidTaskOrdinal";
        TASK_RECURRING = 0x8126, Boolean, "PidLidTaskFRecurring";
        TASK_OWNERSHIP = 0x8129, Integer32, "PidLidTaskOwnership";
        TASK_ACCEPTANCE_STATE = 0x812a, Integer32, "PidLidTaskAcceptanceState";
    }
    PSETID_ADDRESS {
        FILE_UNDER = 0x8005, String, "PidLidFileUnder";
        FILE_UNDER_ID = 0x8006, Integer32, "PidLidFileUnderId";
        HAS_PICTURE = 0x8015, Boolean, "PidLidHasPicture";
        HOME_ADDRESS = 0x801a, String, "PidLidHomeAddress";
        WORK_ADDRESS = 0x801b, String, "PidLidWorkAddress";
        OTHER_ADDRESS = 0x801c, String, "PidLidOtherAddress";
        POSTAL_ADDRESS_ID = 0x8022, Integer32, "PidLidPostalAddressId";
        WORK_ADDRESS_STREET = 0x8045, String, "PidLidWorkAddressStreet";
        WORK_ADDRESS_CITY = 0x8046, String, "PidLidWorkAddressCity";
        WORK_ADDRESS_STATE = 0x8047, String, "PidLidWorkAddressState";
        WORK_ADDRESS_POSTAL_CODE = 0x8048, String, "PidLidWorkAddressPostalCode";
        WORK_ADDRESS_COUNTRY = 0x8049, String, "PidLidWorkAddressCountry";
        WORK_ADDRESS_POST_OFFICE_BOX = 0x804a, String, "PidLidWorkAddressPostOfficeBox";
        DISTRIBUTION_LIST_CHECKSUM = 0x804c, Integer32, "PidLidDistributionListChecksum";
        DISTRIBUTION_LIST_NAME = 0x8053, String, "PidLidDistributionListName";
        DISTRIBUTION_LIST_ONE_OFF_MEMBERS = 0x8054, MultipleBinary, "PidLidDistributionListOneOffMembers";
        DISTRIBUTION_LIST_MEMBERS = 0x8055, MultipleBinary, "PidLidDistributionListMembers";
        INSTANT_MESSAGING_ADDRESS = 0x8062, String, "PidLidInstantMessagingAddress";
        EMAIL1_DISPLAY_NAME = 0x8080, String, "PidLidEmail1DisplayName";
        EMAIL1_ADDRESS_TYPE = 0x8082, String, "PidLidEmail1AddressType";
        EMAIL1_EMAIL_ADDRESS = 0x8083, String, "PidLidEmail1EmailAddress";
        EMAIL1_ORIGINAL_DISPLAY_NAME = 0x8084, String, "PidLidEmail1OriginalDisplayName";
        EMAIL1_ORIGINAL_ENTRY_ID = 0x8085, Binary, "PidLidEmail1OriginalEntryId";
        EMAIL2_DISPLAY_NAME = 0x8090, String, "PidLidEmail2DisplayName";
        EMAIL2_ADDRESS_TYPE = 0x8092, String, "PidLidEmail2AddressType";
        EMAIL2_EMAIL_ADDRESS = 0x8093, String, "PidLidEmail2EmailAddress";
        EMAIL2_ORIGINAL_DISPLAY_NAME = 0x8094, String, "PidLidEmail2OriginalDisplayName";
        EMAIL2_ORIGINAL_ENTRY_ID = 0x8095, Binary, "PidLidEmail2OriginalEntryId";
        EMAIL3_DISPLAY_NAME = 0x80a0, String, "PidLidEmail3DisplayName";
        EMAIL3_ADDRESS_TYPE = 0x80a2, String, "PidLidEmail3AddressType";
        EMAIL3_EMAIL_ADDRESS = 0x80a3, String, "PidLidEmail3EmailAddress";
        EMAIL3_ORIGINAL_DISPLAY_NAME = 0x80a4, String, "PidLidEmail3OriginalDisplayName";
        EMAIL3_ORIGINAL_ENTRY_ID = 0x80a5, Binary, "PidLidEmail3OriginalEntryId";
    }
    PSETID_NOTE {
        NOTE_COLOR = 0x8b00, Integer32, "PidLidNoteColor";
        NOTE_WIDTH = 0x8b02, Integer32, "PidLidNoteWidth";
        NOTE_HEIGHT = 0x8b03, Integer32, "PidLidNoteHeight";
        NOTE_X = 0x8b04, Integer32, "PidLidNoteX";
        NOTE_Y = 0x8b05, Integer32, "PidLidNoteY";
    }
    PSETID_LOG {
        LOG_TYPE = 0x8700, String, "PidLidLogType";
        LOG_START = 0x8706, Time, "PidLidLogStart";
        LOG_DURATION = 0x8707, Integer32, "PidLidLogDuration";
        LOG_END = 0x8708, Time, "PidLidLogEnd";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once() {
        let mut names: Vec<_> = ALL.iter().map(|(name, ..)| name.clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(name_of(&BUSY_STATUS), Some("PidLidBusyStatus"));
        assert_eq!(BUSY_STATUS.to_string(), "PidLidBusyStatus");
        // The same number in another set is another property.
        assert_eq!(name_of(&PropertyName::id(Guid::PSETID_COMMON, 0x8205)), None);
    }
}
