//! Asking the cloud for the nodes.

/// What came of the calls: places of the increases that the cloud took, and of those that it refused with what it
/// said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed<E> {
    /// Taken.
    pub done: Vec<usize>,
    /// Refused.
    pub refused: Vec<(usize, E)>,
}

impl<E> Executed<E> {
    /// Whether any nodes will come.
    pub fn helps(&self) -> bool {
        !self.done.is_empty()
    }
}

/// Makes the calls one by one. A refusal stops the rest, unless they go out in parallel; what the cloud has taken
/// before stays.
pub fn execute<T, E>(
    increases: &[T],
    parallel: bool,
    mut ask: impl FnMut(&T) -> Result<(), E>,
) -> Executed<E> {
    let mut executed = Executed { done: Vec::new(), refused: Vec::new() };
    for (place, increase) in increases.iter().enumerate() {
        match ask(increase) {
            Ok(()) => executed.done.push(place),
            Err(error) => {
                executed.refused.push((place, error));
                if !parallel {
                    break;
                }
            }
        }
    }
    executed
}
