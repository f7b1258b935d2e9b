"""Runs that take turns, and what is said about them.

The machine is never quiet, so a figure is a ratio: for each pair of neighbouring runs product and baseline are
compared, and the median over the pairs is reported with its quartiles. Where the baseline alone varies by more than
a quarter (distance of its quartiles by its median), the ratio is marked as unreliable."""
import statistics
import time

SPREAD_MAX = 0.25


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def spread(values):
    low, middle, high = quartiles(values)
    return (high - low) / middle if middle > 0 else 0.0


def seconds(function, *arguments):
    begun = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begun


def take_turns(product, baseline, pairs):
    """Seconds of each product and baseline run. A run may return its own seconds. The first pair is not counted."""
    took = []
    for number in range(pairs + 1):
        pair = []
        # Who goes first changes, so that what one leaves behind (dirty pages, a warm cache) meets both.
        order = (product, baseline) if number % 2 == 0 else (baseline, product)
        for run in order:
            begun = time.perf_counter()
            own = run()
            pair.append(own if isinstance(own, float) else time.perf_counter() - begun)
        took.append(tuple(pair) if number % 2 == 0 else (pair[1], pair[0]))
    took = took[1:]
    return [one[0] for one in took], [one[1] for one in took]


class Goal:
    """What a figure should be: at most, or at least, a value."""

    def __init__(self, at_most=None, at_least=None):
        self.at_most, self.at_least = at_most, at_least

    def met(self, value):
        return value <= self.at_most if self.at_most is not None else value >= self.at_least

    def __str__(self):
        return f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"


class Figure:
    """One line of the report."""

    def __init__(self, name, what, value, low=None, high=None, unit="", goal=None, baseline=None, product=None,
                 commands=(), note=""):
        self.name, self.what, self.unit, self.goal, self.note = name, what, unit, goal, note
        self.value = value
        self.low = value if low is None else low
        self.high = value if high is None else high
        self.baseline, self.product = baseline or [], product or []
        self.commands = list(commands)

    @property
    def baseline_spread(self):
        return spread(self.baseline) if self.baseline else 0.0

    @property
    def is_reliable(self):
        return self.baseline_spread <= SPREAD_MAX

    @property
    def verdict(self):
        told = "for information"
        if self.goal is not None:
            told = "met" if self.goal.met(self.value) else "missed"
        return told if self.is_reliable else told + ", unreliable"

    def as_json(self):
        return {
            "name": self.name, "what": self.what, "value": self.value, "quartiles": [self.low, self.high],
            "unit": self.unit, "goal": str(self.goal) if self.goal else None, "verdict": self.verdict,
            "reliable": self.is_reliable, "baseline_spread": self.baseline_spread,
            "baseline_median": statistics.median(self.baseline) if self.baseline else None,
            "product_median": statistics.median(self.product) if self.product else None,
            "baseline": self.baseline, "product": self.product, "commands": self.commands, "note": self.note,
        }


def time_ratio(name, what, product, baseline, **more):
    """Time of the product by time of the baseline: smaller is better."""
    low, middle, high = quartiles([p / b for p, b in zip(product, baseline)])
    return Figure(name, what, middle, low, high, "× time", product=product, baseline=baseline, **more)


def rate_ratio(name, what, product, baseline, **more):
    """Throughput of the product by throughput of the baseline: larger is better."""
    low, middle, high = quartiles([b / p for p, b in zip(product, baseline)])
    return Figure(name, what, middle, low, high, "× throughput", product=product, baseline=baseline, **more)


def same(left, right):
    """Whether two values of results are equal; sums of doubles may differ in their last digits."""
    if isinstance(left, float) or isinstance(right, float):
        if left is None or right is None:
            return left is right
        return abs(float(left) - float(right)) <= 1e-9 * max(1.0, abs(float(left)), abs(float(right)))
    return left == right


def check_same_rows(left, right, what):
    if len(left) != len(right):
        raise AssertionError(f"{what}: {len(left)} rows, the baseline has {len(right)}")
    for number, (a, b) in enumerate(zip(left, right)):
        if len(a) != len(b) or not all(same(x, y) for x, y in zip(a, b)):
            raise AssertionError(f"{what}: row {number} is {a}, in the baseline {b}")
