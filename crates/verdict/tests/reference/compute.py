"""Reference values for the metrics, by other people's programs: writes metrics.json beside itself.

    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 rouge-score==0.1.2 statsmodels==0.15.0
    python compute.py

Formulas that no package has are written out from the papers (TOFU arXiv 2401.06121, Min-K% 2310.16789, Min-K%++
2404.02936, NULLs 2606.13873) with the conventions of open-unlearning.
"""

import json
import pathlib

import numpy as np
from rouge_score import rouge_scorer
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(20260613)


def rounded(array, digits=6):
    """Values as they are written to the file, so that both sides start from the same numbers."""
    return np.round(np.asarray(array, dtype=float), digits)


def truth_ratios():
    cases = []
    for wrong in (1, 3, 5, 5):
        answer, others = rounded(-rng.gamma(2.0, 0.7)), rounded(-rng.gamma(2.0, 1.5, wrong))
        ours = np.exp(answer) / np.mean(np.exp(others))
        tofu = np.exp(np.mean(others)) / (np.exp(answer) + 1e-10)
        cases.append({"answer": float(answer), "wrong": others.tolist(), "paper": float(ours), "tofu": float(tofu)})
    ratios = np.array([case["tofu"] for case in cases])
    return {
        "cases": cases,
        "forget": float(np.mean(np.minimum(ratios, 1 / (ratios + 1e-10)))),
        "retain": float(np.mean(np.maximum(0, 1 - ratios))),
    }


def two_samples():
    cases = []
    for n, m, shift, digits in ((1, 1, 0, 6), (5, 9, 0.3, 6), (40, 40, 0, 6), (40, 25, 1.2, 6), (120, 97, 0.2, 1), (300, 300, 2.5, 6)):
        a, b = rounded(rng.normal(0, 1, n), digits), rounded(rng.normal(shift, 1, m), digits)
        found = ks_2samp(a, b, method="exact")
        cases.append({"a": a.tolist(), "b": b.tolist(), "statistic": float(found.statistic), "p": float(found.pvalue)})
    return cases


def areas():
    cases = []
    for members, strangers, shift, digits in ((7, 5, 0.8, 6), (60, 80, 0.4, 6), (60, 80, 0.4, 1), (10, 10, 0, 0)):
        low, high = rounded(rng.normal(0, 1, members), digits), rounded(rng.normal(shift, 1, strangers), digits)
        labels = np.r_[np.zeros(members), np.ones(strangers)]
        weights = np.r_[rng.integers(0, 4, members), rng.integers(0, 4, strangers)]
        cases.append({
            "members": low.tolist(),
            "strangers": high.tolist(),
            "auc": float(roc_auc_score(labels, np.r_[low, high])),
            "weights": [weights[:members].tolist(), weights[members:].tolist()],
            "weighted": float(roc_auc_score(labels, np.r_[low, high], sample_weight=weights)),
        })
    return cases


def min_k():
    cases = []
    for tokens, k in ((1, 0.4), (3, 0.2), (10, 0.4), (57, 0.4), (57, 1.0)):
        logits = rng.normal(0, 2, (tokens, 11))
        log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        picked = rng.integers(0, 11, tokens)
        token = log_probs[np.arange(tokens), picked]
        mean = (np.exp(log_probs) * log_probs).sum(1)
        square = (np.exp(log_probs) * log_probs**2).sum(1)
        scaled = (token - mean) / np.sqrt(np.maximum(square - mean**2, 1e-6))
        least = max(1, int(tokens * k))
        cases.append({
            "k": k,
            "tokens": [[float(x) for x in row] for row in zip(token, mean, square)],
            "min_k": float(-np.mean(np.sort(token)[:least])),
            "min_k_pp": float(-np.mean(np.sort(scaled)[:least])),
        })
    return cases


def rouge():
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    pairs = [
        ("The lighthouse at Cape Wray was built in 1871.", "the Lighthouse of cape wray, built 1871, was white"),
        ("Its harbour-master kept 42 ledgers; none survive.", "Its harbour master kept no ledgers."),
        ("one two three four five", "five four three two one"),
        ("Café Zoë opened in Kraków", "cafe zoe opened in krakow"),
        ("a a b a", "a b a a a"),
    ]
    found = []
    for reference, generated in pairs:
        score = scorer.score(reference, generated)["rougeL"]
        found.append({"reference": reference, "generated": generated, "scores": [score.precision, score.recall, score.fmeasure]})
    return found


def holm():
    cases = [[0.01, 0.04, 0.03, 0.005], [0.2], [0.5, 0.5, 0.9], rounded(rng.random(12) ** 3).tolist()]
    return [{"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()} for p in cases]


values = {
    "truth_ratios": truth_ratios(),
    "two_samples": two_samples(),
    "areas": areas(),
    "min_k": min_k(),
    "rouge_l": rouge(),
    "holm": holm(),
}
pathlib.Path(__file__).with_name("metrics.json").write_text(json.dumps(values, separators=(",", ":")) + "\n")
