//! Letters from the step that they tell to the directory in which they are put.

use std::{fs, time::Duration};

use obelus_store::outbox::{self, LetterState};
use obelus_testkit::databases;
use tempfile::TempDir;
use tokio::sync::watch;

use super::{filed, house::house};
use crate::{case, post::Post};

#[tokio::test]
async fn letters_leave_until_the_post_is_told_to_stop() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let post = Post::open(&deps).unwrap();
        let (stop, stopped) = watch::channel(false);
        let reference = case::file(&deps, "ana", &filed(&deps, "gdpr-art17", &["a"])).await.unwrap().reference;
        let sent = async {
            let all = async || outbox::of_request(&deps.db, &reference).await.unwrap();
            while all().await.iter().any(|letter| letter.state != LetterState::Sent) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stop.send_replace(true);
        };
        tokio::join!(post.run(stopped), sent);
        let letters: Vec<_> = fs::read_dir(deps.data.outbox()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(letters.len(), 1);
        let letter = fs::read_to_string(&letters[0]).unwrap();
        assert!(letter.contains("To: ada@example.org") && letter.contains(&reference), "{letter}");
        // Told beforehand it does nothing.
        post.run(watch::channel(true).1).await;
    }
}
