//! The application that actix runs, built from the table of routes and from nothing else. Not here: sockets (`server.rs`).

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use actix_web::{
    App, HttpRequest,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    guard,
    http::{Method, header::ALLOW},
    middleware::{Compress, from_fn},
    web,
};

use crate::{
    dispatch::{dispatch, no_page},
    headers,
    problem::Problem,
    route::Route,
    routes::routes,
    state::Portal,
};

/// The application over a portal.
pub fn app(
    portal: Arc<Portal>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let nowhere = Arc::clone(&portal);
    let secure = portal.deps.settings.origin.is_secure();
    let mut by_path: BTreeMap<&str, (usize, Vec<Rc<Route>>)> = BTreeMap::new();
    for (place, route) in routes().into_iter().enumerate() {
        by_path.entry(route.path).or_insert_with(|| (place, Vec::new())).1.push(Rc::new(route));
    }
    // In the table's order: where two paths fit, its first one answers.
    let mut resources: Vec<_> = by_path.into_iter().collect();
    resources.sort_by_key(|(_, (place, _))| *place);
    let add = move |config: &mut web::ServiceConfig| {
        for (path, (_, routes)) in resources {
            config.service(resource(&portal, path, routes));
        }
    };
    App::new()
        .configure(add)
        .default_service(web::to(move |request| no_page(Arc::clone(&nowhere), request)))
        .wrap(Compress::default())
        .wrap(from_fn(move |request, next| headers::add(secure, request, next)))
}

fn resource(portal: &Arc<Portal>, path: &str, routes: Vec<Rc<Route>>) -> actix_web::Resource {
    let allowed: Vec<&str> = routes.iter().map(|route| if route.is_unsafe() { "POST" } else { "GET, HEAD" }).collect();
    let allowed = allowed.join(", ");
    let mut resource = web::resource(path);
    for route in routes {
        let line = match route.method {
            Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
            ref method => web::method(method.clone()),
        };
        let portal = Arc::clone(portal);
        resource = resource.route(line.to(move |request: HttpRequest, body: web::Payload| {
            dispatch(Arc::clone(&portal), Rc::clone(&route), request, body)
        }));
    }
    resource.default_service(web::to(move |request: HttpRequest| {
        let mut answer = Problem::method().respond(&request);
        if let Ok(allowed) = allowed.parse() {
            answer.headers_mut().insert(ALLOW, allowed);
        }
        std::future::ready(answer)
    }))
}
