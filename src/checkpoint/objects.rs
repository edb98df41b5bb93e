//! Storage in S3 and what speaks as it does.
//!
//! Things are objects under a prefix. Settings come from the environment as other programs for S3 read it: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
//! `AWS_ENDPOINT_URL` for a store that is not Amazon's (with `AWS_ALLOW_HTTP=true` if it has no TLS); without keys they are those of the machine's or the container's role.
//!
//! A large file goes and comes in parts, a few at a time, so that memory holds some of them and not the file. Requests go over `ureq`, each on a thread that waits for
//! it; what fails in passing is tried again by `object_store` for some minutes.

use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path as FilePath, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Collected};
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, spawn_blocking};

use super::{Error, Storage};

/// How much of a file is in memory at a time. Parts of S3 have 5 MiB at least.
const PART_BYTES: u64 = 8 << 20;

/// How many files are on their way at a time.
const FILES: usize = 4;

/// How long a request may take; one that is silent for longer is tried again.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// The largest answer: a part of a file, with room for what a store says.
const ANSWER_BYTES_MAX: u64 = PART_BYTES + (1 << 20);

/// Objects under a prefix of a bucket.
#[derive(Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// As messages name it.
    shown: String,
    runtime: Runtime,
}

impl Objects {
    /// A bucket, and what names in it begin with: `s3://bucket/fraud`.
    ///
    /// # Errors
    /// When the address or a setting in the environment does not fit. Nothing is asked for yet.
    pub fn open(address: &str) -> Result<Objects, Error> {
        let wrong = |reason: String| {
            Error::new(format!(
                "storage \"{address}\": {reason}; see to the address and the AWS_… variables"
            ))
        };
        let (_, path) = address.split_once("://").unwrap_or_default();
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_http_connector(Calls::new())
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let prefix = Path::parse(prefix).map_err(|error| wrong(error.to_string()))?;
        Objects::over(Arc::new(store), prefix, address)
    }

    fn over(store: Arc<dyn ObjectStore>, prefix: Path, shown: &str) -> Result<Objects, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let runtime = runtime.map_err(|error| {
            Error::new(format!(
                "storage \"{shown}\": the system gives no threads: {error}"
            ))
        })?;
        Ok(Objects {
            store,
            prefix,
            shown: shown.to_owned(),
            runtime,
        })
    }

    fn path(&self, name: &str) -> Path {
        let parts = self.prefix.parts();
        let mut path: Path = parts.collect();
        for part in name.split('/') {
            path = path.join(part);
        }
        path
    }

    fn failed(&self, doing: &str, name: &str, error: &dyn std::fmt::Display) -> Error {
        Error::new(format!(
            "storage \"{}\": \"{name}\" cannot be {doing}: {error}; see to the bucket, its rights and the AWS_… variables",
            self.shown
        ))
    }

    /// Does the same with each of many, a few at a time.
    fn each<T, F>(
        &self,
        doing: &str,
        all: &[T],
        name: impl Fn(&T) -> &str,
        work: impl Fn(Arc<dyn ObjectStore>, Path, &T) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), object_store::Error>> + Send + 'static,
    {
        self.runtime.block_on(async {
            let mut under_way = JoinSet::new();
            let mut waiting = all.iter();
            loop {
                while under_way.len() < FILES
                    && let Some(one) = waiting.next()
                {
                    let called = name(one).to_owned();
                    let work = work(Arc::clone(&self.store), self.path(&called), one);
                    under_way.spawn(async move { (work.await, called) });
                }
                match under_way.join_next().await {
                    None => return Ok(()),
                    Some(Ok((Ok(()), _))) => {}
                    Some(Ok((Err(error), called))) => {
                        return Err(self.failed(doing, &called, &error));
                    }
                    Some(Err(error)) => return Err(self.failed(doing, "a thing", &error)),
                }
            }
        })
    }

    async fn listed(&self, under: Path) -> Result<Vec<Path>, object_store::Error> {
        let (mut found, mut open) = (Vec::new(), vec![under]);
        while let Some(prefix) = open.pop() {
            let listed = self.store.list_with_delimiter(Some(&prefix)).await?;
            found.extend(listed.objects.into_iter().map(|object| object.location));
            open.extend(listed.common_prefixes);
        }
        Ok(found)
    }
}

impl Storage for Objects {
    fn put(&self, files: &[(String, PathBuf)]) -> Result<(), Error> {
        self.each(
            "written",
            files,
            |(name, _)| name,
            |store, path, (_, from)| sent(store, path, from.clone()),
        )
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(name);
        let put = self.store.put(&path, PutPayload::from(bytes.to_vec()));
        let put = self.runtime.block_on(put);
        put.map_err(|error| self.failed("written", name, &error))?;
        Ok(())
    }

    fn note(&self, name: &str) -> Result<(), Error> {
        self.write(name, b"")
    }

    fn get(&self, things: &[(String, PathBuf)]) -> Result<(), Error> {
        self.each(
            "read",
            things,
            |(name, _)| name,
            |store, path, (_, to)| received(store, path, to.clone()),
        )
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(name);
        let read = self.runtime.block_on(async {
            let got = self.store.get(&path).await?;
            got.bytes().await
        });
        match read {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", name, &error)),
        }
    }

    fn list(&self, under: &str) -> Result<Vec<String>, Error> {
        let listed = self.runtime.block_on(self.listed(self.path(under)));
        let listed = listed.map_err(|error| self.failed("listed", under, &error))?;
        let name = |path: Path| {
            let parts: Vec<String> = (path.prefix_match(&self.prefix)?)
                .map(|part| part.as_ref().to_owned())
                .collect();
            Some(parts.join("/"))
        };
        let mut names: Vec<String> = listed.into_iter().filter_map(name).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&self, names: &[String]) -> Result<(), Error> {
        self.each(
            "removed",
            names,
            String::as_str,
            |store, path, _| async move {
                match store.delete(&path).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            },
        )
    }
}

/// A file on its way there.
async fn sent(store: Arc<dyn ObjectStore>, path: Path, from: PathBuf) -> object_store::Result<()> {
    let file = Arc::new(File::open(&from).map_err(|error| local(&from, error))?);
    let length = file.metadata().map_err(|error| local(&from, error))?.len();
    if length <= PART_BYTES {
        let part = part(&file, &from, 0, length).await?;
        store.put(&path, part.into()).await?;
        return Ok(());
    }
    let mut upload = store.put_multipart(&path).await?;
    let mut offset = 0;
    while offset < length {
        let bytes = PART_BYTES.min(length - offset);
        let part = part(&file, &from, offset, bytes).await?;
        if let Err(error) = upload.put_part(part.into()).await {
            // Parts that nobody completes would be paid for.
            let _ = upload.abort().await;
            return Err(error);
        }
        offset += bytes;
    }
    upload.complete().await?;
    Ok(())
}

/// Some bytes of a file.
async fn part(
    file: &Arc<File>,
    from: &FilePath,
    offset: u64,
    bytes: u64,
) -> object_store::Result<Vec<u8>> {
    let file = Arc::clone(file);
    let read = move || {
        let mut part = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut part, offset).map(|()| part)
    };
    spawn_blocking(read)
        .await
        .map_err(std::io::Error::other)
        .and_then(|read| read)
        .map_err(|error| local(from, error))
}

/// A file on its way here.
async fn received(
    store: Arc<dyn ObjectStore>,
    path: Path,
    to: PathBuf,
) -> object_store::Result<()> {
    let length = store.head(&path).await?.size;
    let mut file = File::create_new(&to).map_err(|error| local(&to, error))?;
    let mut offset = 0;
    while offset < length {
        let upto = (offset + PART_BYTES).min(length);
        let part = store.get_range(&path, offset..upto).await?;
        file.write_all(&part).map_err(|error| local(&to, error))?;
        offset = upto;
    }
    Ok(())
}

/// A file on this machine that cannot be read or written.
fn local(path: &FilePath, error: std::io::Error) -> object_store::Error {
    let source = format!("{}: {error}", path.display());
    object_store::Error::Generic {
        store: "file",
        source: source.into(),
    }
}

/// Requests over `ureq`.
#[derive(Clone, Debug)]
struct Calls(ureq::Agent);

impl Calls {
    fn new() -> Calls {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(REQUEST_MAX));
        Calls(config.build().into())
    }
}

impl HttpConnector for Calls {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Calls {
    fn call<'a, 'async_trait>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'async_trait>>
    where
        'a: 'async_trait,
    {
        let agent = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(Collected::to_bytes)?;
            let called = spawn_blocking(move || {
                let request = ureq::http::Request::from_parts(parts, &body[..]);
                let response = agent.run(request)?;
                let (parts, mut body) = response.into_parts();
                let read = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
                Ok((parts, read))
            });
            let called: Result<_, ureq::Error> = called
                .await
                .map_err(|panic| HttpError::new(HttpErrorKind::Unknown, panic))?;
            let (parts, body) = called.map_err(broken)?;
            Ok(HttpResponse::from_parts(
                parts,
                HttpResponseBody::from(body),
            ))
        })
    }
}

/// Whether to try again is not ours to decide.
fn broken(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => HttpErrorKind::Connect,
        ureq::Error::Io(_) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn objects() -> Objects {
        let prefix = Path::from("some/prefix");
        Objects::over(Arc::new(InMemory::new()), prefix, "s3://bucket/some/prefix").expect("made")
    }

    #[test]
    fn what_is_put_is_found_under_its_name_until_it_is_removed() {
        let objects = objects();
        let folder = tempfile::tempdir().expect("a folder");
        // Two parts and a bit, and such as have none.
        let large: Vec<u8> = (0..PART_BYTES * 2 + 3).map(|at| at as u8).collect();
        let mut files = Vec::new();
        for (name, bytes) in [
            ("large.sst", &large[..]),
            ("small.sst", b"s"),
            ("empty", b""),
        ] {
            let from = folder.path().join(name);
            std::fs::write(&from, bytes).expect("written");
            files.push((format!("3/00000001-aa/shard-0/{name}"), from));
        }
        objects.put(&files).expect("put");
        objects
            .write("3/00000001-aa/index", b"old")
            .expect("written");
        objects
            .write("3/00000001-aa/index", b"new")
            .expect("written");
        objects.write("group", b"g").expect("written");
        let names = objects.list("3").expect("listed");
        let mut wanted: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
        wanted.push("3/00000001-aa/index".to_owned());
        wanted.sort_unstable();
        assert_eq!(names, wanted);
        assert_eq!(
            objects.read("3/00000001-aa/index"),
            Ok(Some(b"new".to_vec()))
        );
        assert_eq!(objects.read("3/none"), Ok(None));
        let to = |from: &PathBuf| from.with_extension("got");
        let things: Vec<(String, PathBuf)> = (files.iter())
            .map(|(name, from)| (name.clone(), to(from)))
            .collect();
        objects.get(&things).expect("got");
        for (_, from) in &files {
            let (sent, got) = (std::fs::read(from), std::fs::read(to(from)));
            assert_eq!(sent.expect("there"), got.expect("there"));
        }
        objects.remove(&names).expect("removed");
        objects.remove(&names).expect("removed already");
        assert_eq!(objects.list("3"), Ok(Vec::new()));
        assert_eq!(objects.read("group"), Ok(Some(b"g".to_vec())));
    }

    #[test]
    fn what_is_not_there_is_named_with_the_storage() {
        let folder = tempfile::tempdir().expect("a folder");
        let thing = [("3/none".to_owned(), folder.path().join("x"))];
        let error = objects().get(&thing).expect_err("nothing is there");
        let told = "storage \"s3://bucket/some/prefix\": \"3/none\" cannot be read";
        assert!(error.to_string().starts_with(told), "{error}");
    }
}
