//! Why a request is refused, and how HTTP says so.

use crate::Name;
use crate::name::{CALDAV, CARDDAV, DAV};
use crate::xml;

/// Why a body or a header is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body is no XML that is read here.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// The body or the header is not what its method defines: 400. Says what was expected.
    #[error("{0}")]
    Syntax(&'static str),
    /// More than [`crate::Limits`] allow: 400.
    #[error("more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The body is well formed and asks for what is not possible: 422.
    #[error("{0}")]
    Unprocessable(&'static str),
    /// The body is of a type that the method does not take: 415.
    #[error("a body of this type is not understood")]
    MediaType,
    /// A precondition does not hold.
    #[error("{0}: {1}")]
    Precondition(Precondition, &'static str),
}

impl Error {
    /// The status code.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Xml(xml::Error::TooLarge(_)) => 413,
            Self::Xml(xml::Error::Encoding) | Self::MediaType => 415,
            Self::Xml(xml::Error::Doctype) => 403,
            Self::Xml(_) | Self::Syntax(_) | Self::Limit { .. } => 400,
            Self::Unprocessable(_) => 422,
            Self::Precondition(precondition, _) => precondition.status(),
        }
    }

    /// The precondition that the body of the answer names.
    pub const fn precondition(&self) -> Option<Precondition> {
        match self {
            Self::Precondition(precondition, _) => Some(*precondition),
            Self::Xml(xml::Error::Doctype) => Some(Precondition::NoExternalEntities),
            _ => None,
        }
    }
}

macro_rules! preconditions {
    ($($(#[$doc:meta])* $variant:ident = $namespace:ident $local:literal $status:literal,)*) => {
        /// Preconditions and postconditions, the elements in a `DAV:error` (RFC 4918 §16, RFC 3253 §1.6).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Precondition {
            $($(#[$doc])* $variant,)*
        }

        impl Precondition {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its element.
            pub const fn name(self) -> Name {
                match self {
                    $(Self::$variant => Name::known($namespace, $local),)*
                }
            }

            /// The status code of the answer.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }
        }
    };
}

preconditions! {
    /// RFC 4918 §16
    LockTokenMatchesRequestUri = DAV "lock-token-matches-request-uri" 409,
    /// RFC 4918 §16; holds the hrefs of what is locked.
    LockTokenSubmitted = DAV "lock-token-submitted" 423,
    /// RFC 4918 §16; may hold the hrefs of what is locked.
    NoConflictingLock = DAV "no-conflicting-lock" 423,
    /// RFC 4918 §16; also said of any DOCTYPE.
    NoExternalEntities = DAV "no-external-entities" 403,
    /// RFC 4918 §16
    PreservedLiveProperties = DAV "preserved-live-properties" 409,
    /// RFC 4918 §16
    PropfindFiniteDepth = DAV "propfind-finite-depth" 403,
    /// RFC 4918 §16
    CannotModifyProtectedProperty = DAV "cannot-modify-protected-property" 403,
    /// RFC 3253 §3.6
    SupportedReport = DAV "supported-report" 403,
    /// RFC 3253 §1.6, RFC 4791 §5.3.1.1
    ResourceMustBeNull = DAV "resource-must-be-null" 403,
    /// RFC 5689 §3.3
    ValidResourcetype = DAV "valid-resourcetype" 403,
    /// RFC 3744 §7.1.1; holds the resources and the privileges.
    NeedPrivileges = DAV "need-privileges" 403,
    /// RFC 3744 §8.1.1
    NoAceConflict = DAV "no-ace-conflict" 403,
    /// RFC 3744 §8.1.1
    NoProtectedAceConflict = DAV "no-protected-ace-conflict" 403,
    /// RFC 3744 §8.1.1
    NoInheritedAceConflict = DAV "no-inherited-ace-conflict" 403,
    /// RFC 3744 §8.1.1
    LimitedNumberOfAces = DAV "limited-number-of-aces" 403,
    /// RFC 3744 §8.1.1
    DenyBeforeGrant = DAV "deny-before-grant" 403,
    /// RFC 3744 §8.1.1
    GrantOnly = DAV "grant-only" 403,
    /// RFC 3744 §8.1.1
    NoInvert = DAV "no-invert" 403,
    /// RFC 3744 §8.1.1
    NoAbstract = DAV "no-abstract" 403,
    /// RFC 3744 §8.1.1
    NotSupportedPrivilege = DAV "not-supported-privilege" 403,
    /// RFC 3744 §8.1.1
    MissingRequiredPrincipal = DAV "missing-required-principal" 403,
    /// RFC 3744 §8.1.1
    RecognizedPrincipal = DAV "recognized-principal" 403,
    /// RFC 3744 §8.1.1
    AllowedPrincipal = DAV "allowed-principal" 403,
    /// RFC 3744 §9.2.1 and others: an answer with too many members.
    NumberOfMatchesWithinLimits = DAV "number-of-matches-within-limits" 507,
    /// RFC 6578 §3.2
    ValidSyncToken = DAV "valid-sync-token" 403,
    /// RFC 6578 §3.2
    SyncTraversalSupported = DAV "sync-traversal-supported" 403,
    /// RFC 4331 §6
    QuotaNotExceeded = DAV "quota-not-exceeded" 507,
    /// RFC 4331 §6
    SufficientDiskSpace = DAV "sufficient-disk-space" 507,
    /// RFC 4791 §5.3.1.1
    CalendarCollectionLocationOk = CALDAV "calendar-collection-location-ok" 403,
    /// RFC 4791 §5.3.1.1
    InitializeCalendarCollection = CALDAV "initialize-calendar-collection" 403,
    /// RFC 4791 §5.3.2.1, §7.8
    SupportedCalendarData = CALDAV "supported-calendar-data" 403,
    /// RFC 4791 §5.3.2.1, §7.8
    ValidCalendarData = CALDAV "valid-calendar-data" 403,
    /// RFC 4791 §5.3.2.1
    ValidCalendarObjectResource = CALDAV "valid-calendar-object-resource" 403,
    /// RFC 4791 §5.3.2.1
    SupportedCalendarComponent = CALDAV "supported-calendar-component" 403,
    /// RFC 4791 §5.3.2.1; holds the href of the resource that has the UID.
    NoUidConflict = CALDAV "no-uid-conflict" 403,
    /// RFC 4791 §5.3.2.1
    CalendarMaxResourceSize = CALDAV "max-resource-size" 403,
    /// RFC 4791 §5.3.2.1
    MinDateTime = CALDAV "min-date-time" 403,
    /// RFC 4791 §5.3.2.1
    MaxDateTime = CALDAV "max-date-time" 403,
    /// RFC 4791 §5.3.2.1
    MaxInstances = CALDAV "max-instances" 403,
    /// RFC 4791 §5.3.2.1
    MaxAttendeesPerInstance = CALDAV "max-attendees-per-instance" 403,
    /// RFC 4791 §7.8
    ValidFilter = CALDAV "valid-filter" 403,
    /// RFC 4791 §7.8
    SupportedFilter = CALDAV "supported-filter" 403,
    /// RFC 4791 §7.8
    SupportedCollation = CALDAV "supported-collation" 403,
    /// RFC 7809 §5.2.1: a `timezone-id` that is not known.
    ValidTimezone = CALDAV "valid-timezone" 403,
    /// RFC 6638 §3.2.4.1; holds the href of the other object.
    UniqueSchedulingObjectResource = CALDAV "unique-scheduling-object-resource" 403,
    /// RFC 6638 §3.2.4.2
    SameOrganizerInAllComponents = CALDAV "same-organizer-in-all-components" 403,
    /// RFC 6638 §3.2.4.3
    AllowedOrganizerSchedulingObjectChange = CALDAV "allowed-organizer-scheduling-object-change" 403,
    /// RFC 6638 §3.2.4.4
    AllowedAttendeeSchedulingObjectChange = CALDAV "allowed-attendee-scheduling-object-change" 403,
    /// RFC 6638 §5: a POST to the outbox without an originator of one's own.
    OrganizerAllowed = CALDAV "organizer-allowed" 403,
    /// RFC 6638 §5
    ValidSchedulingMessage = CALDAV "valid-scheduling-message" 403,
    /// RFC 6638 §9.2
    DefaultCalendarNeeded = CALDAV "default-calendar-needed" 403,
    /// RFC 6638 §9.2
    ValidScheduleDefaultCalendarUrl = CALDAV "valid-schedule-default-calendar-URL" 403,
    /// RFC 8607 §3.4.3
    ValidAction = CALDAV "valid-action" 403,
    /// RFC 8607 §3.4.3
    ValidRid = CALDAV "valid-rid" 403,
    /// RFC 8607 §3.4.3
    ValidManagedId = CALDAV "valid-managed-id" 403,
    /// RFC 8607 §3.4.3
    MaxAttachmentSize = CALDAV "max-attachment-size" 403,
    /// RFC 8607 §3.4.3
    MaxAttachmentsPerResource = CALDAV "max-attachments-per-resource" 403,
    /// RFC 6352 §6.3.2.1, §8.6
    SupportedAddressData = CARDDAV "supported-address-data" 403,
    /// RFC 6352 §5.1.1: the same for an answer.
    SupportedAddressDataConversion = CARDDAV "supported-address-data-conversion" 403,
    /// RFC 6352 §6.3.2.1
    ValidAddressData = CARDDAV "valid-address-data" 403,
    /// RFC 6352 §6.3.2.1; holds the href of the resource that has the UID.
    NoAddressUidConflict = CARDDAV "no-uid-conflict" 403,
    /// RFC 6352 §6.3.2.1
    AddressbookCollectionLocationOk = CARDDAV "addressbook-collection-location-ok" 403,
    /// RFC 6352 §6.3.2.1
    AddressMaxResourceSize = CARDDAV "max-resource-size" 403,
    /// RFC 6352 §8.6
    SupportedAddressFilter = CARDDAV "supported-filter" 403,
    /// RFC 6352 §8.6
    SupportedAddressCollation = CARDDAV "supported-collation" 403,
}

impl std::fmt::Display for Precondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precondition_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<Name> =
            Precondition::ALL.iter().map(|precondition| precondition.name()).collect();
        assert_eq!(names.len(), Precondition::ALL.len());
    }

    #[test]
    fn errors_become_statuses() {
        assert_eq!(Error::from(xml::Error::TooLarge(1)).status(), 413);
        assert_eq!(Error::from(xml::Error::Encoding).status(), 415);
        let doctype = Error::from(xml::Error::Doctype);
        assert_eq!((doctype.status(), doctype.precondition()), (403, Some(Precondition::NoExternalEntities)));
        assert_eq!(Error::Syntax("x").status(), 400);
        assert_eq!(Error::Unprocessable("x").status(), 422);
        assert_eq!(Error::Precondition(Precondition::QuotaNotExceeded, "x").status(), 507);
    }
}
