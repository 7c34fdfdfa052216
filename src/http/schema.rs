//! How the types of the core look in the OpenAPI document. The core itself knows nothing of it.

use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::finding::FindingId;
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TEXT_ID_BYTES_MAX, TenantId};
use crate::domain::interval::Edge;
use crate::domain::name::{NAME_BYTES_MAX, Name};
use crate::domain::time::Instant;
use crate::service::history::ScopePart;
use crate::store::Hash;

/// Text without control characters.
const PRINTED: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";

macro_rules! looks_like {
    ($($kind:ty => $schema:expr;)*) => {$(
        impl PartialSchema for $kind {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::Object($schema))
            }
        }

        impl ToSchema for $kind {}
    )*};
}

looks_like! {
    TenantId => uuid("The id of an Entra tenant");
    ObjectId => uuid("The id of a directory object");
    MailboxId => uuid("The GUID of a mailbox instance");
    ChainId => text("The id of a snapshot chain, as the backup product calls it; at most 256 bytes of UTF-8", TEXT_ID_BYTES_MAX, Some(PRINTED));
    SnapshotId => text("The id of a snapshot within its chain; at most 256 bytes of UTF-8", TEXT_ID_BYTES_MAX, Some(PRINTED));
    Name => text("A user principal name or an SMTP address; case does not matter", NAME_BYTES_MAX, Some(PRINTED));
    FindingId => text("The id of a finding", 32, Some("^[0-9a-fA-F]{32}$"));
    Hash => text("SHA-256, in hexadecimal digits", 64, Some("^[0-9a-f]{64}$"));
    Instant => instant();
    Sequence => sequence();
    Edge => edge();
    ScopePart => scope_part();
}

fn of(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(kind))
}

fn uuid(what: &str) -> Object {
    of(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))).description(Some(what)).build()
}

fn text(what: &str, longest: usize, pattern: Option<&str>) -> Object {
    of(Type::String)
        .description(Some(what))
        .min_length(Some(1))
        .max_length(Some(longest))
        .pattern(pattern.map(str::to_owned))
        .build()
}

fn instant() -> Object {
    of(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("RFC 3339; answers are in UTC with `Z`"))
        .build()
}

fn sequence() -> Object {
    of(Type::Integer).description(Some("The number of a commit, from 1")).minimum(Some(0)).build()
}

/// One object with all that may be told of a scope. As it is derived it is an object and one of five others, which those
/// who make clients of the document cannot read.
fn scope_part() -> Object {
    let scopes = ["everyone", "in", "in_one", "out", "unknown"];
    let told = |what: &str| of(Type::String).description(Some(what));
    let labels = of(Type::Object)
        .description(Some("The rule's labels, if a rule protects it"))
        .additional_properties(Some(Schema::Object(of(Type::String).build())));
    let excluded = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some("The first rule that matched and excluded it, if no rule protects it and one did"));
    of(Type::Object)
        .description(Some("Whether the mapping protected an object, from a commit on"))
        .property("scope", told("How it is").enum_values(Some(scopes)))
        .property("rule", told("The rule, if one protects it"))
        .property("labels", labels)
        .property("why", told("What was not read, if it cannot be told"))
        .property("excluded_by", excluded)
        .property("sequence", Ref::from_schema_name("Sequence"))
        .property("since", Ref::from_schema_name("Instant"))
        .required("scope")
        .required("sequence")
        .required("since")
        .build()
}

fn edge() -> Object {
    let bound = |what: &str| {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some(what))
    };
    of(Type::Object)
        .description(Some("It happened in (after, by]; a point has both equal, null is unbounded"))
        .property("after", bound("The last instant of the old state"))
        .property("by", bound("The first instant of the new state"))
        .required("after")
        .required("by")
        .build()
}
