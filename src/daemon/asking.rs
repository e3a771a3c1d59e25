//! Questions to disks and servers that may never answer: each on another thread, all of them
//! together within a bound. Whoever hangs holds up nobody else.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For all together; a healthy disk answers in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Threads that ask. As many disks as this can hang before others are asked late.
const THREADS: usize = 16;

/// How many threads ask just now. One at a disk that hangs never ends, and whoever asks again and
/// again shall not use up what threads the daemon may have.
static ASKING: AtomicUsize = AtomicUsize::new(0);
const MOST: usize = 64;

struct Asker;

impl Asker {
    fn new() -> Option<Self> {
        let asker = Self;
        (ASKING.fetch_add(1, Ordering::Relaxed) < MOST).then_some(asker)
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        ASKING.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) type Question<T> = Box<dyn FnOnce() -> T + Send>;

/// The answers in the order of the questions; `None` for what had not come in time.
pub(super) fn ask_all<T: Send + 'static>(questions: Vec<Question<T>>) -> Vec<Option<T>> {
    let until = Instant::now() + TIMEOUT;
    let mut answers: Vec<Option<T>> = questions.iter().map(|_| None).collect();
    let threads = questions.len().min(THREADS);
    let left: VecDeque<_> = questions.into_iter().enumerate().collect();
    let left = Arc::new(Mutex::new(left));
    let (answer, answered) = channel();
    for _ in 0..threads {
        let (left, answer) = (Arc::clone(&left), answer.clone());
        let next = move || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(asker) = Asker::new() else { break };
        let ask = move || {
            let _asker = asker;
            while let Some((at, question)) = next() {
                if answer.send((at, question())).is_err() {
                    break;
                }
            }
        };
        if std::thread::Builder::new().spawn(ask).is_err() {
            break;
        }
    }
    drop(answer);
    while let Ok((at, told)) = answered.recv_timeout(until.duration_since(Instant::now())) {
        if let Some(place) = answers.get_mut(at) {
            *place = Some(told);
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_answers_holds_up_nobody_else() {
        let (_never, forever) = channel::<()>();
        let mut questions: Vec<Question<usize>> =
            (0..40_usize).map(|n| Box::new(move || n) as Question<usize>).collect();
        questions.insert(1, Box::new(move || forever.recv().map_or(0, |()| 0)));
        let answers = ask_all(questions);
        assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 1);
        assert_eq!((answers[0], answers[1], answers[40]), (Some(0), None, Some(39)));
    }
}
