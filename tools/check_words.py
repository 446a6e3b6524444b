"""Check that names, docstrings and documents use the terms of the field, one word for one thing.

    python tools/check_words.py [PATH...]

Fails on a class name that is defined twice, a replaced term in a name, in the first line of a docstring or in a
document, a constant that is a bare superlative, and a function's docstring that does not begin with a verb in the
imperative. ``REPLACED`` says what to write instead.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = ("src", "benchmarks", "recipes", "examples")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")

REPLACED = {
    "fewest": "min", "longest": "max", "shortest": "min", "least": "min", "most": "max",
    "give": "return", "gives": "return", "tell": "report", "tells": "report", "told": "reported",
    "goodness": "quality", "hear": "audio", "heard": "audio", "hears": "audio", "hearing": "audio",
    "sound": "audio", "sounds": "audio", "soundtrack": "audio track",
    "picture": "frame (video) or image (file)", "pictures": "frames (video) or images (files)",
    "judge": "discriminator", "judges": "discriminators", "maker": "generator", "makers": "generators",
    "likeness": "similarity", "likenesses": "similarities", "sureness": "confidence",
    "looks": "samples or appearance", "look": "infer or detect", "looked": "inferred or detected",
    "talker": "speaker", "talkers": "speakers", "talk": "talking clip", "talks": "talking clips",
    "varying": "augmented", "vary": "augment", "varied": "augmented",
    "facts": "metadata", "somebody": "person", "rounds": "epochs", "painter": "generator",
    "anew": "again", "sights": "samples", "letters": "undelivered",
}  # fmt: skip
"""Terms that are not used -> what to write instead."""

NAMES_ONLY = {"way": "strategy or direction", "ways": "strategies or directions", "sure": "confidence", "likely": "probability",
    "worth": "filter", "place": "path or location", "places": "paths or locations", "who": "person or identity",
    "broken": "unreadable", "held": "held_out or buffered", "kept": "saved", "made": "generated", "drawn": "sampled",
}  # fmt: skip
"""Terms that are plain English in a sentence, and say too little as a name."""

SENTENCES_ONLY = {"house": "architecture", "rooms": "packages", "room": "package"}

SUPERLATIVES = {
    "MOST", "LEAST", "FEWEST", "LONGEST", "SHORTEST", "LARGEST", "SMALLEST", "WIDEST", "NARROWEST", "HIGHEST", "LOWEST",
    "NEAREST", "FARTHEST", "FASTEST", "SLOWEST", "THINNEST", "FINEST", "COOLEST", "HOTTEST", "LATEST", "EARLIEST", "BEST",
    "WORST",
}  # fmt: skip
"""Constants that say neither of what they are a limit nor in what unit."""

VERBS = set(
    [
        "Abort",
        "Accept",
        "Accumulate",
        "Add",
        "Adjust",
        "Advance",
        "Align",
        "Allow",
        "Analyze",
        "Announce",
        "Answer",
        "Append",
        "Apply",
        "Approximate",
        "Archive",
        "Ask",
        "Assert",
        "Assign",
        "Associate",
        "Attach",
        "Augment",
        "Average",
        "Await",
        "Back",
        "Balance",
        "Batch",
        "Begin",
        "Bind",
        "Blend",
        "Blur",
        "Box",
        "Bound",
        "Bring",
        "Buffer",
        "Build",
        "Bundle",
        "Cache",
        "Calculate",
        "Calibrate",
        "Call",
        "Cancel",
        "Cap",
        "Cast",
        "Center",
        "Chain",
        "Change",
        "Check",
        "Choose",
        "Claim",
        "Clamp",
        "Classify",
        "Clean",
        "Clear",
        "Clip",
        "Close",
        "Cluster",
        "Collect",
        "Combine",
        "Compare",
        "Compile",
        "Complete",
        "Compose",
        "Compress",
        "Compute",
        "Concatenate",
        "Configure",
        "Confirm",
        "Connect",
        "Construct",
        "Consume",
        "Continue",
        "Convert",
        "Convolve",
        "Copy",
        "Correct",
        "Correlate",
        "Count",
        "Cover",
        "Create",
        "Crop",
        "Cut",
        "Deal",
        "Debounce",
        "Decide",
        "Declare",
        "Decode",
        "Decompress",
        "Decrease",
        "Define",
        "Delay",
        "Delete",
        "Deliver",
        "Demand",
        "Demultiplex",
        "Demux",
        "Derive",
        "Describe",
        "Detach",
        "Detect",
        "Determine",
        "Diagnose",
        "Digest",
        "Disable",
        "Discard",
        "Discover",
        "Dispatch",
        "Display",
        "Distil",
        "Distribute",
        "Divide",
        "Double",
        "Downsample",
        "Download",
        "Draw",
        "Drop",
        "Dump",
        "Embed",
        "Empty",
        "Enable",
        "Encode",
        "End",
        "Enforce",
        "Enlarge",
        "Enroll",
        "Ensure",
        "Enter",
        "Erase",
        "Escape",
        "Estimate",
        "Evaluate",
        "Evict",
        "Exclude",
        "Execute",
        "Exit",
        "Expand",
        "Explain",
        "Export",
        "Express",
        "Extend",
        "Extract",
        "Fail",
        "Feed",
        "Fetch",
        "Fill",
        "Filter",
        "Find",
        "Finish",
        "Fit",
        "Flag",
        "Flatten",
        "Flip",
        "Flush",
        "Fold",
        "Follow",
        "Force",
        "Forget",
        "Format",
        "Forward",
        "Freeze",
        "Fuse",
        "Gather",
        "Generate",
        "Get",
        "Group",
        "Guard",
        "Guess",
        "Handle",
        "Hash",
        "Hide",
        "Hold",
        "Identify",
        "Ignore",
        "Import",
        "Include",
        "Increase",
        "Indicate",
        "Infer",
        "Inform",
        "Initialize",
        "Insert",
        "Inspect",
        "Install",
        "Integrate",
        "Interpolate",
        "Interrupt",
        "Intersect",
        "Invert",
        "Iterate",
        "Join",
        "Jump",
        "Keep",
        "Label",
        "Lay",
        "Learn",
        "Leave",
        "Limit",
        "Link",
        "List",
        "Load",
        "Locate",
        "Lock",
        "Log",
        "Look",
        "Lower",
        "Make",
        "Map",
        "Mark",
        "Mask",
        "Match",
        "Measure",
        "Merge",
        "Mix",
        "Mirror",
        "Move",
        "Multiply",
        "Mux",
        "Name",
        "Normalize",
        "Note",
        "Notify",
        "Number",
        "Offer",
        "Omit",
        "Open",
        "Optimize",
        "Order",
        "Overlay",
        "Pack",
        "Pad",
        "Pair",
        "Parse",
        "Partition",
        "Pass",
        "Patch",
        "Pause",
        "Pick",
        "Pixelate",
        "Place",
        "Play",
        "Plot",
        "Pool",
        "Post",
        "Predict",
        "Prefer",
        "Prepare",
        "Prefix",
        "Preserve",
        "Preview",
        "Print",
        "Probe",
        "Process",
        "Produce",
        "Project",
        "Propagate",
        "Propose",
        "Prune",
        "Publish",
        "Pull",
        "Push",
        "Put",
        "Quantize",
        "Query",
        "Queue",
        "Quote",
        "Raise",
        "Rank",
        "Rate",
        "Reach",
        "Read",
        "Rebuild",
        "Receive",
        "Recognize",
        "Reconnect",
        "Record",
        "Recover",
        "Redact",
        "Reduce",
        "Refer",
        "Refine",
        "Refuse",
        "Register",
        "Reject",
        "Release",
        "Reload",
        "Remember",
        "Remove",
        "Rename",
        "Render",
        "Repair",
        "Repeat",
        "Replace",
        "Replay",
        "Report",
        "Represent",
        "Request",
        "Require",
        "Resample",
        "Reserve",
        "Reset",
        "Reshape",
        "Resize",
        "Resolve",
        "Restart",
        "Restore",
        "Restrict",
        "Resume",
        "Retry",
        "Return",
        "Reveal",
        "Reverse",
        "Rotate",
        "Round",
        "Run",
        "Sample",
        "Save",
        "Say",
        "Scale",
        "Scan",
        "Schedule",
        "Score",
        "Search",
        "Seek",
        "Segment",
        "Select",
        "Send",
        "Separate",
        "Serialize",
        "Serve",
        "Set",
        "Settle",
        "Shift",
        "Show",
        "Shuffle",
        "Sift",
        "Sign",
        "Simplify",
        "Skip",
        "Sleep",
        "Slice",
        "Smooth",
        "Solve",
        "Sort",
        "Spawn",
        "Split",
        "Spread",
        "Stack",
        "Standardize",
        "Start",
        "State",
        "Stop",
        "Store",
        "Stream",
        "Stretch",
        "Strip",
        "Subtract",
        "Suggest",
        "Sum",
        "Summarize",
        "Suppress",
        "Swap",
        "Synchronize",
        "Synthesize",
        "Tag",
        "Take",
        "Test",
        "Tile",
        "Time",
        "Track",
        "Train",
        "Transform",
        "Translate",
        "Transpose",
        "Traverse",
        "Trim",
        "Truncate",
        "Try",
        "Turn",
        "Unfold",
        "Union",
        "Unpack",
        "Unwrap",
        "Update",
        "Upsample",
        "Use",
        "Validate",
        "Verify",
        "Visit",
        "Wait",
        "Walk",
        "Warm",
        "Warn",
        "Warp",
        "Watch",
        "Weigh",
        "Widen",
        "Wrap",
        "Write",
        "Yield",
        "Zero",
    ]
)
"""Verbs, in the imperative, with which docstrings of functions begin."""


def main() -> int:
    """Check the files named on the command line, or all, and print what is wrong."""
    found = sorted(set(check([Path(word).resolve() for word in sys.argv[1:]])))
    print("\n".join(found[:200]))
    print(f"{len(found)} names or sentences to put right" if found else "the words hold")
    return bool(found)


def check(only: list[Path]) -> Iterator[str]:
    """Yield a line for each violation in the files of the project, or in those under the paths ``only``."""
    files = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    yield from twice([path for path in files if "src" in path.parts])
    for path in files:
        if wanted(path, only):
            yield from check_code(path)
    for name in DOCUMENTS:
        if wanted(ROOT / name, only):
            yield from check_document(ROOT / name)


def wanted(path: Path, only: list[Path]) -> bool:
    """Return whether a file is to be checked."""
    return not only or any(path.is_relative_to(one) for one in only)


def twice(files: list[Path]) -> Iterator[str]:
    """Yield the classes whose name another class has."""
    seen: dict[str, str] = {}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                if node.name in seen:
                    yield f"{line(path, node.lineno)}class {node.name} is defined in {seen[node.name]} too"
                seen[node.name] = str(path.relative_to(ROOT))


def check_code(path: Path) -> Iterator[str]:
    """Yield the violations in a file of Python."""
    tree = ast.parse(path.read_text("utf-8"))
    yield from check_name(path, 1, path.stem)
    yield from check_docstring(path, tree)
    for node in tree.body:
        yield from check_constant(path, node)
    for node in ast.walk(tree):
        for name in bound(node):
            yield from check_name(path, node.lineno, name)  # type: ignore[attr-defined]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from check_docstring(path, node)


def bound(node: ast.AST) -> list[str]:
    """Return the names that a node defines: classes, functions, parameters, variables and attributes."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return [node.name]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [node.attr]
    return []


def check_name(path: Path, number: int, name: str) -> Iterator[str]:
    """Yield the terms in a name that have a better one."""
    for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name):
        better = REPLACED.get(word.lower()) or NAMES_ONLY.get(word.lower())
        if better and name not in SUPERLATIVES:
            yield f"{line(path, number)}name {name}: write {better} instead of {word.lower()}"


def check_constant(path: Path, node: ast.stmt) -> Iterator[str]:
    """Yield the constants of a module that are bare superlatives."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        for name in ast.walk(target):
            if isinstance(name, ast.Name) and name.id in SUPERLATIVES:
                yield f"{line(path, node.lineno)}constant {name.id}: say of what, and in which unit"


def check_docstring(
    path: Path, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[str]:
    """Yield what is wrong with the first line of a docstring."""
    text = ast.get_docstring(node)
    if not text:
        return
    number = node.body[0].lineno
    first = text.split("\n\n")[0].replace("\n", " ")
    yield from check_sentence(path, number, first)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not is_property(node):
        verb = re.match(r"\W*(\w*)", first)
        if verb and verb[1] not in VERBS:
            yield f"{line(path, number)}docstring of {node.name} begins with {verb[1]!r}, no verb in the imperative"


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function is read as an attribute: its docstring names a thing."""
    return any("property" in ast.unparse(one) for one in node.decorator_list)


def check_document(path: Path) -> Iterator[str]:
    """Yield the terms in a document that have a better one; code is left out."""
    fenced = False
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        fenced ^= text.startswith("```")
        if not fenced:
            yield from check_sentence(path, number, text)


def check_sentence(path: Path, number: int, text: str) -> Iterator[str]:
    """Yield the terms in a sentence that have a better one; code in backticks and links are left out."""
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+", "", text)
    for word in re.findall(r"[A-Za-z]+", plain):
        better = REPLACED.get(word.lower()) or SENTENCES_ONLY.get(word.lower())
        if better and word.lower() not in {"most", "least"}:
            yield f"{line(path, number)}write {better} instead of {word}"


def line(path: Path, number: int) -> str:
    """Return where something is: file and line, and a colon."""
    return f"{path.relative_to(ROOT)}:{number}: "


if __name__ == "__main__":
    raise SystemExit(main())
