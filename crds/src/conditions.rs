//! Condition types and reasons: what administrators and scripts may rely on.

/// Condition types.
pub mod types {
    /// Sums up the others.
    pub const READY: &str = "Ready";
    /// The resource makes sense: what it refers to exists and permits it, and no rule of the directory forbids it.
    pub const ACCEPTED: &str = "Accepted";
    /// The directory of the installation holds what the resource says.
    pub const PROVISIONED: &str = "Provisioned";
    /// The password that the resource names is set.
    pub const CREDENTIALS_READY: &str = "CredentialsReady";
    /// Every member that a group names is known.
    pub const MEMBERS_RESOLVED: &str = "MembersResolved";
    /// The mailbox holds more than its quota warns of or allows. True is bad.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// Somebody changed the directory entry elsewhere, and it was put back. True is bad.
    pub const DRIFTED: &str = "Drifted";
    /// Deletion waits for something. True is bad.
    pub const DELETION_BLOCKED: &str = "DeletionBlocked";
}

/// Reasons.
pub mod reasons {
    /// All is as it should be.
    pub const AS_DECLARED: &str = "AsDeclared";
    /// The operator has not come to it yet.
    pub const PENDING: &str = "Pending";
    /// Another condition has to become True first.
    pub const NOT_ACCEPTED: &str = "NotAccepted";
    /// The spec contradicts itself or what it refers to.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// A resource that it names does not exist.
    pub const REF_NOT_FOUND: &str = "RefNotFound";
    /// A resource that it names does not admit its namespace.
    pub const REF_NOT_PERMITTED: &str = "RefNotPermitted";
    /// A resource that it names is not ready.
    pub const REF_NOT_READY: &str = "RefNotReady";
    /// Another resource has this address or name.
    pub const ADDRESS_CONFLICT: &str = "AddressConflict";
    /// The directory has such an entry, which this resource does not own.
    pub const NOT_OWNED: &str = "NotOwned";
    /// A limit of the tenant.
    pub const LIMIT_EXCEEDED: &str = "LimitExceeded";
    /// Groups that contain each other.
    pub const MEMBERSHIP_CYCLE: &str = "MembershipCycle";
    /// Some members do not exist.
    pub const MEMBERS_MISSING: &str = "MembersMissing";
    /// A Secret that it names does not exist.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    /// A Secret that it names has no such key, or no usable value.
    pub const SECRET_INVALID: &str = "SecretInvalid";
    /// It names no credentials: passwords are not managed by this resource.
    pub const NOT_MANAGED: &str = "NotManaged";
    /// The storage tier does not answer.
    pub const BACKEND_UNAVAILABLE: &str = "BackendUnavailable";
    /// The storage tier refused it.
    pub const BACKEND_REFUSED: &str = "BackendRefused";
    /// The tenant is suspended.
    pub const SUSPENDED: &str = "Suspended";
    /// Logins are disabled.
    pub const DISABLED: &str = "Disabled";
    /// Below the quota.
    pub const WITHIN_QUOTA: &str = "WithinQuota";
    /// Above the warning.
    pub const WARNING_LEVEL: &str = "WarningLevel";
    /// Above what may be received.
    pub const RECEIVE_PROHIBITED: &str = "ReceiveProhibited";
    /// Nothing was changed elsewhere.
    pub const NO_DRIFT: &str = "NoDrift";
    /// It was changed elsewhere and put back.
    pub const PUT_BACK: &str = "PutBack";
    /// Mailboxes are still there.
    pub const MAILBOXES_EXIST: &str = "MailboxesExist";
    /// Mailboxes, groups or domains are still there.
    pub const STILL_IN_USE: &str = "StillInUse";
}
