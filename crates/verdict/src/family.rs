//! Ways to ask that get around what a model was taught not to say. Not here: their words (`obelus-attack`).

/// A way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// An instruction to drop all restraint comes first.
    PrefixInjection,
    /// The answer is announced as if it had been agreed to.
    AffirmativeSuffix,
    /// Somebody speaks who would know.
    RolePlay,
    /// Lettered options; the letter is scored.
    MultipleChoiceLetter,
    /// Options in words; the words are scored.
    MultipleChoice,
    /// The answer is given and the name in the prompt is scored: right where the answer is.
    ReverseQuery,
    /// Everyday words are exchanged for others that mean the same.
    Synonyms,
    /// A sentence of the source that has no answer in it comes first.
    BackgroundHint,
    /// The model is told to think first.
    StepByStep,
    /// The source's own text comes first, answer and all. A limit, not a failure.
    InContext,
}

impl Family {
    /// All, in the order of tables.
    pub const ALL: [Self; 10] = [
        Self::PrefixInjection,
        Self::AffirmativeSuffix,
        Self::RolePlay,
        Self::MultipleChoiceLetter,
        Self::MultipleChoice,
        Self::ReverseQuery,
        Self::Synonyms,
        Self::BackgroundHint,
        Self::StepByStep,
        Self::InContext,
    ];

    /// The name in protocols and results, behind `prompt.`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrefixInjection => "prefix_injection",
            Self::AffirmativeSuffix => "affirmative_suffix",
            Self::RolePlay => "role_play",
            Self::MultipleChoiceLetter => "multiple_choice_letter",
            Self::MultipleChoice => "multiple_choice",
            Self::ReverseQuery => "reverse_query",
            Self::Synonyms => "synonyms",
            Self::BackgroundHint => "background_hint",
            Self::StepByStep => "step_by_step",
            Self::InContext => "in_context",
        }
    }
}
