//! What the document says of every route, beside what the route says itself: its group, its role,
//! the bounds of names in its path, the key of a change, how it answers.

use super::super::wire::RefusalBody;
use crate::api::roles::Role;
use crate::api::wire::{DRY_RUN, NameText, ReferenceText, Refused};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::{
    Content, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
    Ref, RefOr, Required, ResponseBuilder, ServerBuilder, tag::TagBuilder,
};
use utoipa::{PartialSchema, ToSchema};

const ABOUT: &str = "Snapshots of this host's resources. The server is a Unix socket, which knows \
    its peers from the kernel: `curl --unix-socket /run/heptad/heptad.sock http://localhost/v1/status`.";

const KEY: &str = "Makes it safe to send the request again: while the operation is known, the same \
    request of the same user under the same key is answered with that operation, and another \
    request is refused (409, `key-reused`).";

const TRIED: &str = "With true nothing is changed: it is refused as it would be, or answered with what \
    it would become (its `id` means nothing).";

/// What routes are about, by the first part of their paths; the last has all the others.
const GROUPS: [(&str, &str); 4] = [
    ("resources", "What is protected: its schedule, its slots, changes to it."),
    ("snapshots", "Snapshots: looking into them, and what can be made of them."),
    ("operations", "What was asked for, what runs, and what came of it."),
    ("daemon", "heptad as a whole: its state, its configuration, what it counts."),
];

/// A document without routes.
pub(super) fn empty() -> OpenApi {
    let license = LicenseBuilder::new().name("MIT OR Apache-2.0");
    let info = InfoBuilder::new()
        .title("heptad")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license.identifier(Some("MIT OR Apache-2.0")).build()));
    let server = ServerBuilder::new()
        .url("http://localhost")
        .description(Some("Any host name will do: the socket is the host."));
    let mut document = OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([server.build()]))
        .tags(Some(
            GROUPS
                .map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build()),
        ))
        // Whoever connects is known, so no request carries a secret.
        .security(Some([]))
        .build();
    let components = document.components.get_or_insert_default();
    for (name, schema) in [
        (Refused::name(), Refused::schema()),
        (RefusalBody::name(), RefusalBody::schema()),
        (NameText::name(), NameText::schema()),
        (ReferenceText::name(), ReferenceText::schema()),
    ] {
        components.schemas.insert(name.into(), schema);
    }
    document
}

/// The operations of one path.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// Adds what holds for every change: its key, and that it may be asked what it would do.
pub(super) fn allow_terms(operation: &mut Operation) {
    let dry_run = ParameterBuilder::new()
        .name(DRY_RUN)
        .parameter_in(ParameterIn::Query)
        .description(Some(TRIED))
        .schema(Some(bool::schema()));
    let terms = [key(), dry_run.build()].map(RefOr::T);
    operation.parameters.get_or_insert_default().extend(terms);
}

/// A body without a field that must be there can be left out whole.
pub(super) fn allow_no_body(operation: &mut Operation, schemas: &[(String, RefOr<Schema>)]) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let asks_nothing = |name: &str| {
        let of = schemas.iter().find(|(known, _)| known == name);
        matches!(of, Some((_, RefOr::T(Schema::Object(object)))) if object.required.is_empty())
    };
    let left_out = body.content.values().all(|content| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(to)), .. }) => {
            to.ref_location.rsplit('/').next().is_some_and(asks_nothing)
        }
        _ => false,
    });
    if left_out {
        body.required = Some(Required::False);
    }
}

/// Adds what holds for every route of the path.
pub(super) fn describe(path: &str, operation: &mut Operation, needs: Role) {
    operation.tags = Some(vec![group(path).into()]);
    let role = format!("Role: {}.", needs.word());
    let said = operation.description.take();
    operation.description = Some(said.map_or(role.clone(), |said| format!("{said}\n\n{role}")));
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            bound(parameter);
        }
    }
    answers(operation);
}

fn group(path: &str) -> &'static str {
    let first = path.trim_start_matches("/v1/").split('/').next();
    let named = GROUPS.iter().find(|(name, _)| first == Some(name));
    named.map_or("daemon", |(name, _)| name)
}

/// What can stand in a path is the same everywhere.
fn bound(parameter: &mut Parameter) {
    if parameter.parameter_in != ParameterIn::Path {
        return;
    }
    parameter.schema = match parameter.name.as_str() {
        "name" => Some(Ref::from_schema_name(NameText::name()).into()),
        "ref" => Some(Ref::from_schema_name(ReferenceText::name()).into()),
        _ => Some(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).into()),
    };
}

fn key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(128))
        .pattern(Some("^[!-~]{1,128}$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(KEY))
        .schema(Some(text))
        .build()
}

/// What an answer means that does not say so itself, and how a refusal looks.
fn answers(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description = meaning(status).into();
        }
    }
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Refused::name())));
    let refused = ResponseBuilder::new()
        .description("Refused: what is wrong, and the way out.")
        .content("application/json", content.build())
        .build();
    responses.insert("4XX".into(), RefOr::T(refused.clone()));
    responses.insert("default".into(), RefOr::T(refused));
}

fn meaning(status: &str) -> &'static str {
    match status {
        "201" => "Done, and something new is there.",
        "202" => "Accepted: the operation waits or runs.",
        _ => "Done.",
    }
}
