//! Many hosts at a time.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Job;

impl Job {
    /// Runs `work` for every item, at most `forks` at a time; results keep the order.
    pub(super) async fn each<T, R, F>(&self, items: Vec<T>, work: impl Fn(T) -> F) -> Vec<R>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: Future<Output = Option<R>> + Send + 'static,
    {
        self.each_of(self.forks, items, work).await
    }

    /// The same, so many at a time.
    pub(super) async fn each_of<T, R, F>(
        &self,
        at_once: usize,
        items: Vec<T>,
        work: impl Fn(T) -> F,
    ) -> Vec<R>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: Future<Output = Option<R>> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(at_once.max(1)));
        let mut tasks = JoinSet::new();
        for (index, item) in items.into_iter().enumerate() {
            let (places, job) = (places.clone(), work(item));
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                (index, job.await)
            });
        }
        let mut results = Vec::new();
        while let Some(done) = tasks.join_next().await {
            // A task that panicked is a bug of ours; its host stays without a result, which the
            // caller reports as outcome unknown. The others go on.
            if let Ok((index, Some(result))) = done {
                results.push((index, result));
            }
        }
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }
}
