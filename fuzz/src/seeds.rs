//! Writes what the fuzz targets begin from: CORPUS. A folder for each target, with the files of the tests' fixture. Not
//! here: what the targets do with them (`lib.rs`).

use std::{error::Error, fs, path::Path};

use obelus_fuzz::{FIXTURE, SIGNED, STATUS_LIST, fixture, model_files, model_key};
use obelus_ledger::{
    audit_bundle::{self, Files, MANIFEST, STATEMENT},
    canonical,
    certificate::Exhibit,
    change_proof::ChangeProof,
    dsse::Envelope,
    growth_proof::GrowthProof,
    keys::{PrivateKey, Signer as _},
    manifest::{self, Absence, Manifest},
    merkle, model_signing,
    node_tree::NodeTree,
    row_proof::RowProof,
    tile,
};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = std::env::args().nth(1).ok_or("name the folder for the seeds")?;
    for (target, seeds) in seeds()? {
        let folder = Path::new(&corpus).join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}

type Seeds = Vec<(&'static str, Vec<Vec<u8>>)>;

fn seeds() -> Result<Seeds, Box<dyn Error>> {
    let exhibits = FIXTURE.document.exhibits.iter().chain(&FIXTURE.document.extensions);
    let payloads = exhibits.map(|logged| logged.envelope.payload()).collect::<Result<Vec<_>, _>>()?;
    let begins =
        |with: &str| SIGNED.iter().filter(|file| file.starts_with(with.as_bytes())).cloned().collect::<Vec<_>>();
    let envelopes = SIGNED.iter().filter(|file| Envelope::from_bytes(file).is_ok()).cloned();
    Ok(vec![
        ("canonical", envelopes.chain([b"{\"a\":[1,null,\"\\u000f\"]}".to_vec()]).collect()),
        ("statement", payloads),
        ("document", SIGNED.clone()),
        ("resigned", vec![FIXTURE.file(), fixture::Fixture::usual().file()]),
        ("row_proof", vec![FIXTURE.proof.clone(), RowProof::from_bytes(&FIXTURE.proof)?.to_bytes()?]),
        ("change_proof", change_proofs()?),
        ("growth_proof", growth_proofs()?),
        ("checkpoint", vec![FIXTURE.document.checkpoint.clone().into_bytes()]),
        ("trusted_root", vec![canonical::to_bytes(&FIXTURE.trust)?]),
        ("manifest", presences()?),
        ("bundle", begins("{\"dsseEnvelope\"")),
        ("log_proof", begins("c2sp.org/")),
        ("tile", tiles()?),
        ("status_list", vec![STATUS_LIST.clone()]),
        ("log_folder", vec![log_folder()?]),
        ("audit_bundle", vec![audit_bundle()?]),
        ("key", keys()?),
        (
            "model_signature",
            vec![model_signing::sign("demo", &model_files(), &["exports.lock".to_owned()], &model_key())?],
        ),
    ])
}

/// The tree of a small model.
fn tree(sinks: u64, zeroed: &[u64]) -> NodeTree {
    NodeTree::new(fixture::weight_leaves(&fixture::layout(2, sinks), 1, zeroed))
}

fn change_proofs() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let proof = ChangeProof::new(&tree(8, &[]), &tree(8, &[7, 9]), &[7, 9])?;
    Ok(vec![proof.to_bytes()?, proof.to_gzip()?])
}

fn growth_proofs() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let proof = GrowthProof::new(&tree(8, &[]));
    Ok(vec![proof.to_bytes()?, proof.to_gzip()?])
}

fn presences() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut seeds = Vec::new();
    let all = fixture::presences(fixture::GROWN.segments);
    for presence in &all {
        seeds.push(canonical::to_bytes(presence)?);
    }
    let records = all.iter().map(|presence| (presence.key, presence.record.clone().into_bytes()));
    let absent = manifest::key(&fixture::MANIFEST_KEY, "nobody/nothing");
    let record = |key: &_| all.iter().find(|presence| presence.key == *key).map(|p| p.record.clone().into_bytes());
    let absence: Option<Absence> = Manifest::new(records).absence(&absent, record);
    seeds.push(canonical::to_bytes(&absence.ok_or("the source is there")?)?);
    Ok(seeds)
}

fn tiles() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let named = |size: u64, level: u8, index: u8| [&size.to_be_bytes()[..], &[level, index]].concat();
    let entries = tile::entry_bytes([&b"one"[..], b"", b"three"])?;
    let hashes = tile::hash_bytes(&FIXTURE.log[..4]);
    Ok(vec![
        [named(3, 0, 0), entries].concat(),
        [named(260, 0, 1), hashes.clone()].concat(),
        [named(4, 0, 0), hashes].concat(),
    ])
}

fn log_folder() -> Result<Vec<u8>, Box<dyn Error>> {
    let bodies =
        Exhibit::ALL[..3].iter().map(|exhibit| FIXTURE.bundle(*exhibit).body()).collect::<Result<Vec<_>, _>>()?;
    let leaves: Vec<_> = bodies.iter().map(|body| merkle::leaf_hash(body)).collect();
    let files = [tile::entry_bytes(bodies.iter().map(Vec::as_slice))?, tile::hash_bytes(&leaves)];
    let mut seed = [&3u16.to_be_bytes()[..], merkle::root(&leaves).as_bytes()].concat();
    for file in files {
        seed.extend_from_slice(&u16::try_from(file.len())?.to_be_bytes());
        seed.extend_from_slice(&file);
    }
    Ok(seed)
}

fn audit_bundle() -> Result<Vec<u8>, Box<dyn Error>> {
    let statement = canonical::to_bytes(&FIXTURE.bundle(Exhibit::Certificate))?;
    let mut files = Files::from([
        ("README.txt".to_owned(), b"A case.".to_vec()),
        ("statements/certificate.json".to_owned(), statement.clone()),
        (STATEMENT.to_owned(), statement),
    ]);
    let listed = files.iter().filter(|(path, _)| *path != STATEMENT).map(|(path, file)| (path.clone(), file.clone()));
    files.insert(MANIFEST.to_owned(), audit_bundle::Manifest::new("OB-2026-0001", &listed.collect()).to_bytes()?);
    Ok(audit_bundle::to_zip(&files)?)
}

fn keys() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let key = PrivateKey::from_seed(&[5; 32]);
    Ok(vec![
        key.public_key().to_pem()?.into_bytes(),
        key.to_pem()?.as_bytes().to_vec(),
        model_key().public_key().to_pem()?.into_bytes(),
        model_key().to_pem()?.as_bytes().to_vec(),
    ])
}
