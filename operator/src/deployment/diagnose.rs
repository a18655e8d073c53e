//! From a storage node's last words to the condition that an administrator needs. Pure.

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Where.
    pub part: Part,
    /// In CamelCase.
    pub reason: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// Where something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// PostgreSQL.
    Database,
    /// S3.
    ObjectStore,
    /// The migration itself.
    Schema,
}

/// Reads last words.
pub fn diagnose(words: &str) -> Diagnosis {
    let text = words.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let of = |part, reason, advice| Diagnosis { part, reason, advice };
    let store = has(&["object store", "blob store", "bucket", "s3", "blobs."]);
    if store {
        return if has(&[
            "accessdenied",
            "invalidaccesskeyid",
            "signaturedoesnotmatch",
            "403",
            "401",
            "forbidden",
        ]) {
            of(Part::ObjectStore, "AuthFailed", "check accessKey and secretKey in the Secret")
        } else if has(&["bucket does not exist", "nosuchbucket", "refuses to make the bucket", "404"]) {
            of(Part::ObjectStore, "BucketMissing", "make the bucket, or let these credentials make it")
        } else {
            of(Part::ObjectStore, "Unreachable", "check the endpoint, its DNS name, and what lies between")
        };
    }
    let database = has(&["database", "postgres", "error connecting", "db error"]);
    if !database {
        return of(Part::Schema, "MigrationFailed", "see the logs of the migration's pod");
    }
    if has(&["password", "authentication", "28p01", "28000", "role ", "pg_hba", "no encryption"]) {
        of(Part::Database, "AuthFailed", "check user and password in the database's URL")
    } else if has(&["3d000", "does not exist"]) {
        of(Part::Database, "DatabaseMissing", "make the database that the URL names")
    } else if has(&["permission denied", "42501"]) {
        of(Part::Database, "PermissionDenied", "the user must own the database, or may create tables in it")
    } else if has(&["invalid connection string", "invalid configuration"]) {
        of(Part::Database, "InvalidURL", "write postgres://user:password@host:5432/database")
    } else if has(&["certificate", "tls", "ssl"]) {
        of(Part::Database, "TLSFailed", "check sslmode in the URL and the server's certificate")
    } else if text.trim_end().ends_with("db error") {
        of(
            Part::Database,
            "Refused",
            "the server answers and refuses: check user, password and database in the URL",
        )
    } else if has(&[
        "refused",
        "timed out",
        "timeout",
        "resolve",
        "lookup",
        "unreachable",
        "connecting",
        "not available",
    ]) {
        of(Part::Database, "Unreachable", "check the host in the database's URL, and what lies between")
    } else {
        of(Part::Schema, "MigrationFailed", "see the logs of the migration's pod")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_reason() {
        let cases = [
            (
                "not available: the database: error connecting to server: Connection refused",
                Part::Database,
                "Unreachable",
            ),
            (
                "the database: db error: FATAL: password authentication failed for user \"k\"",
                Part::Database,
                "AuthFailed",
            ),
            (
                "not available: the database: Error occurred while creating a new object: db error",
                Part::Database,
                "Refused",
            ),
            (
                "the database: db error: FATAL: database \"x\" does not exist",
                Part::Database,
                "DatabaseMissing",
            ),
            ("cannot reach the object store: error sending request", Part::ObjectStore, "Unreachable"),
            (
                "the object store refuses to make the bucket (403 Forbidden); make it yourself",
                Part::ObjectStore,
                "AuthFailed",
            ),
            ("cannot reach the object store: 403: SignatureDoesNotMatch", Part::ObjectStore, "AuthFailed"),
            ("not available: the bucket does not exist", Part::ObjectStore, "BucketMissing"),
            ("something else entirely", Part::Schema, "MigrationFailed"),
        ];
        for (words, part, reason) in cases {
            let found = diagnose(words);
            assert_eq!((found.part, found.reason), (part, reason), "{words}");
        }
    }
}
