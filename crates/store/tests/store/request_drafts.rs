//! Requests that are not sent yet: one draft for each token, until its time is over. Not here: what stands in them.

use obelus_store::request_drafts;

use crate::support::{LATER, NOW, digest, kept, on_each};

#[tokio::test]
async fn a_draft_is_changed_read_in_its_time_and_removed() {
    on_each(async |database| {
        let (db, one, other) = (&database.db, digest("one"), digest("other"));
        let change = async |now| {
            kept(db, async |write| request_drafts::change(write, &one, b"again".to_vec(), now, LATER).await.unwrap())
                .await
        };
        assert!(!change(NOW).await, "there is nothing to change");
        for (token, sealed) in [(&one, b"first"), (&other, b"other")] {
            kept(db, async |write| request_drafts::begin(write, token, sealed.to_vec(), NOW, LATER).await.unwrap())
                .await;
        }
        assert!(change(NOW).await);
        assert!(!change(LATER).await, "its time is over");
        let read = async |token, now| request_drafts::sealed(db, token, now).await.unwrap();
        assert_eq!(read(&one, NOW).await.as_deref(), Some(&b"again"[..]));
        assert_eq!(read(&other, NOW).await.as_deref(), Some(&b"other"[..]));
        assert_eq!(read(&one, LATER).await, None, "its time is over");
        let remove = async || kept(db, async |write| request_drafts::remove(write, &one).await.unwrap()).await;
        assert!(remove().await);
        assert!(!remove().await);
        let expired =
            async |now| kept(db, async |write| request_drafts::remove_expired(write, now).await.unwrap()).await;
        assert_eq!((expired(NOW).await, expired(LATER).await, expired(LATER).await), (0, 1, 0));
    })
    .await;
}
