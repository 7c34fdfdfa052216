//! The API: every route with the right that it needs and its place in the OpenAPI document. One registration gives both.

mod checks;
mod evidence;
pub(super) mod findings;
mod names;
mod plans;
mod snapshots;
pub(super) mod status;
pub(super) mod syncs;

pub use findings::{problem as finding_problem, signed};
pub use names::no_object;
pub use status::of as status_of;
pub use syncs::running;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use utoipa::OpenApi as _;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, OpenApi, Paths, RefOr, Schema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::caller;
use super::access::role::{Right, Role};
use super::problem::ProblemBody;
use super::service::Shared;

/// The document without its routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "whowas", description = "Whose mail is this, how sure are we, and how do we know?"),
    // Bodies that may be left out are named by reference, because the document's maker calls all others required; so they
    // are listed here.
    components(schemas(ProblemBody, findings::ReviewRequest, syncs::SyncRequest))
)]
struct Document;

/// A handler as `routes!` registers it.
type Registered = (Vec<(String, RefOr<Schema>)>, Paths, MethodRouter<Shared>);

/// The routes of the API, and their document.
pub fn routes(service: &Shared) -> (Router<Shared>, OpenApi) {
    let guarded = |registered: Registered, right: Right| guard(service, registered, right);
    let router = OpenApiRouter::with_openapi(Document::openapi())
        .routes(guarded(routes!(status::status), Right::SeeRuns))
        .routes(guarded(routes!(checks::check), Right::Ask))
        .routes(guarded(routes!(names::who), Right::SeePeople))
        .routes(guarded(routes!(names::history), Right::SeePeople))
        .routes(guarded(routes!(names::object), Right::SeePeople))
        .routes(guarded(routes!(snapshots::add), Right::Record))
        .routes(guarded(routes!(snapshots::list), Right::SeeSnapshots))
        .routes(guarded(routes!(snapshots::show), Right::SeeSnapshots))
        .routes(guarded(routes!(snapshots::receipt), Right::Record))
        .routes(guarded(routes!(snapshots::expire), Right::Record))
        .routes(guarded(routes!(findings::list), Right::SeePeople))
        .routes(guarded(routes!(findings::show), Right::SeePeople))
        .routes(guarded(routes!(findings::acknowledge), Right::Review))
        .routes(guarded(routes!(findings::resolve), Right::Review))
        .routes(guarded(routes!(plans::plan), Right::SeeSnapshots))
        .routes(guarded(routes!(plans::restore_check), Right::Ask))
        .routes(guarded(routes!(plans::reuse), Right::SeePeople))
        .routes(guarded(routes!(syncs::begin), Right::Sync))
        .routes(guarded(routes!(syncs::list), Right::SeeRuns))
        .routes(guarded(routes!(syncs::show), Right::SeeRuns))
        .routes(guarded(routes!(evidence::journal), Right::SeePeople))
        .routes(guarded(routes!(evidence::checkpoint), Right::SeeRuns))
        .routes(guarded(routes!(evidence::prove_consistency), Right::SeeRuns))
        .routes(guarded(routes!(evidence::prove_snapshot), Right::SeePeople))
        .routes(guarded(routes!(evidence::access), Right::SeeAccess));
    let (router, mut document) = router.split_for_parts();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of `whowas token add`. `x-whowas-roles` says which roles a route takes."))
        .build();
    let components = document.components.get_or_insert_with(Components::default);
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    (router, document)
}

/// Only callers whose role has the right get through. Requests with another method do not reach the guard: they are told so.
fn guard(service: &Shared, registered: Registered, right: Right) -> Registered {
    let (schemas, mut paths, router) = registered;
    let roles: Vec<&str> = Role::ALL.into_iter().filter(|role| role.has(right)).map(Role::word).collect();
    for item in paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            let told = Extensions::builder().add("x-whowas-roles", roles.clone()).build();
            operation.extensions.get_or_insert_with(Extensions::default).merge(told);
            super::problem::describe(operation);
        }
    }
    (schemas, paths, router.route_layer(from_fn_with_state((service.clone(), right), caller::by_token)))
}
