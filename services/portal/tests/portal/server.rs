//! The server on a real socket: it answers, and stops when it is told.
//!
//! Not here: what it answers.

use std::{net::TcpListener, time::Duration};

use obelus_portal::run;
use obelus_testkit::databases;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    time::timeout,
};

use crate::house::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_on_its_address_and_stops_when_told() {
    let database = databases().await.remove(0);
    let house = House::on(&database).await;
    let mut deps = house.deps.clone();
    // Free a moment ago; nothing else of this process takes ports.
    deps.settings.listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = deps.settings.listen;
    let (tell, told) = watch::channel(false);
    // Spawned, so that it must be possible beside others in one process.
    let server = tokio::spawn(run(deps.clone(), told));
    let mut answer = String::new();
    for _ in 0..200 {
        if let Ok(mut stream) = TcpStream::connect(listen).await {
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
            stream.read_to_string(&mut answer).await.unwrap();
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("alive\n"), "{answer}");
    let (_keep, also_told) = watch::channel(false);
    let taken = run(deps, also_told).await.unwrap_err();
    assert!(taken.to_string().contains("choose another address"), "{taken:#}");
    tell.send(true).unwrap();
    timeout(Duration::from_secs(30), server).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(listen).await.is_err());
}
