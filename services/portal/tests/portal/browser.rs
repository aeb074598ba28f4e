//! A browser as far as the portal can tell: it keeps cookies, says where it is, and sends the form's code of the page that it
//! has open. Not here: what pages must say.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicU16, Ordering},
};

use actix_http::Request;
use actix_web::{
    Error,
    body::MessageBody,
    cookie::Cookie,
    dev::{Service, ServiceResponse},
    http::header::{HeaderMap, LOCATION, SET_COOKIE},
    test::{TestRequest, read_body},
};

/// What came back.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// The same where it is no text.
    pub bytes: Vec<u8>,
}

impl Page {
    /// Fails unless it has this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Fails unless it sends the browser there.
    #[track_caller]
    pub fn leads_to(self, path: &str) -> Self {
        assert_eq!((self.status, self.header(LOCATION.as_str())), (303, path), "{}", self.body);
        self
    }

    /// Fails unless it says this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.body.contains(text), "{text:?} is not in\n{}", self.body);
        self
    }

    /// Fails if it says this.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.body.contains(text), "{text:?} is in\n{}", self.body);
        self
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The last part of a problem's type.
    #[track_caller]
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 20), "{problem}");
        problem["type"].as_str().unwrap().strip_prefix("urn:obelus:problem:").unwrap().to_owned()
    }

    /// What it says to a program.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), "application/json", "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code in its forms.
    fn code(&self) -> Option<&str> {
        let (_, after) = self.body.split_once("name=\"form_code\" value=\"")?;
        after.split_once('"').map(|(code, _)| code)
    }

    /// The page without what differs each time.
    pub fn without_code(&self) -> String {
        self.code().map_or_else(|| self.body.clone(), |code| self.body.replace(code, ""))
    }

    /// The path of a link that works once and is shown here.
    pub fn one_time_path(&self) -> String {
        let (_, after) = self.body.split_once("http://localhost:8080").unwrap();
        after.split_once('<').unwrap().0.to_owned()
    }
}

fn another_machine() -> SocketAddr {
    static MACHINES: AtomicU16 = AtomicU16::new(0);
    let [a, b] = MACHINES.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    SocketAddr::from(([10, 0, a, b], 1234))
}

/// A browser.
pub struct Browser<'s, S> {
    service: &'s S,
    pub cookies: BTreeMap<String, String>,
    pub code: String,
    accept: &'static str,
    /// The token of a program.
    bearer: Option<String>,
    pub peer: SocketAddr,
}

impl<'s, S, B> Browser<'s, S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    /// One that was never here, on a machine of its own.
    pub fn new(service: &'s S) -> Self {
        let peer = another_machine();
        Self { service, cookies: BTreeMap::new(), code: String::new(), accept: "text/html", bearer: None, peer }
    }

    /// From now on it runs on another machine.
    pub fn move_to_another_machine(&mut self) {
        self.peer = another_machine();
    }

    /// A program, which shows no pages.
    pub fn program(service: &'s S) -> Self {
        Self { accept: "application/json", ..Self::new(service) }
    }

    /// The same browser, for a second request before the answer to the first is there.
    pub fn twin(&self) -> Self {
        let (cookies, code, bearer) = (self.cookies.clone(), self.code.clone(), self.bearer.clone());
        Self { cookies, code, bearer, ..*self }
    }

    pub fn with_session(self, token: &obelus_portal::Token) -> Self {
        self.with(Some(token))
    }

    /// With the session of somebody, or of nobody.
    pub fn with(mut self, token: Option<&obelus_portal::Token>) -> Self {
        self.cookies.extend(token.map(|token| ("session".to_owned(), token.reveal())));
        self
    }

    /// A program with a token.
    pub fn with_token(service: &'s S, token: &obelus_portal::Token) -> Self {
        Self { bearer: Some(format!("Bearer {}", token.reveal())), ..Self::program(service) }
    }

    /// Sends JSON.
    pub async fn post_json(&mut self, path: &str, body: &serde_json::Value) -> Page {
        let request = TestRequest::post().uri(path).insert_header(("content-type", "application/json"));
        self.send(request.set_payload(body.to_string())).await
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.send(TestRequest::get().uri(path)).await
    }

    /// Sends a form from the page that was last open.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let code = self.code.clone();
        let mut all = vec![("form_code", code.as_str())];
        all.extend_from_slice(fields);
        let request = TestRequest::post()
            .uri(path)
            .insert_header(("origin", "http://localhost:8080"))
            .insert_header(("sec-fetch-site", "same-origin"))
            .set_form(&all);
        self.send(request).await
    }

    pub async fn send(&mut self, request: TestRequest) -> Page {
        let mut request = request.peer_addr(self.peer).insert_header(("accept", self.accept));
        if let Some(bearer) = &self.bearer {
            request = request.insert_header(("authorization", bearer.as_str()));
        }
        for (name, value) in &self.cookies {
            request = request.cookie(Cookie::new(name, value));
        }
        let response = self.service.call(request.to_request()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = read_body(response).await.to_vec();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = Cookie::parse(cookie.to_str().unwrap()).unwrap();
            if cookie.max_age().is_some_and(|age| age.is_zero()) {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        let page = Page { status, headers, body, bytes };
        if let Some(code) = page.code() {
            self.code = code.to_owned();
        }
        page
    }

    /// Signs in, from the page for that.
    pub async fn sign_in(&mut self, name: &str, password: &str) -> Page {
        self.get("/sign-in").await;
        self.post("/sign-in", &[("name", name), ("password", password)]).await
    }
}
