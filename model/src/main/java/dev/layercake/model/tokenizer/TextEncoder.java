package dev.layercake.model.tokenizer;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The way from a text to tokens: added tokens are found, what lies between is normalized, cut into words and given to the
 * model. Immutable but for a few work areas that threads lend from it.
 */
final class TextEncoder {
    private static final int MOST_IDLE = 4;

    private final TokenizerParts parts;
    private final BitSet guarded;
    private final BitSet neverProduced;
    private final AddedTokenFinder inText;
    private final AddedTokenFinder inNormalized;
    /** Control tokens that are looked for in normalized text, by their own names. */
    private final AddedTokenFinder asWritten;

    private final ConcurrentLinkedQueue<Workspace> idle = new ConcurrentLinkedQueue<>();
    private final AtomicInteger idleCount = new AtomicInteger();

    /** @param guarded control tokens: marked names of them are ordinary text, and no model makes them */
    TextEncoder(TokenizerParts parts, BitSet guarded) {
        this.parts = parts;
        this.guarded = guarded;
        neverProduced = (BitSet) guarded.clone();
        if (parts.unknown() >= 0) {
            neverProduced.clear(parts.unknown());
        }
        List<AddedToken> plain = new ArrayList<>();
        List<AddedToken> normalized = new ArrayList<>();
        List<String> normalizedContents = new ArrayList<>();
        Workspace work = new Workspace();
        for (AddedToken token : parts.added()) {
            if (!token.normalized()) {
                plain.add(token);
            } else {
                String content = normalize(token.content(), work);
                if (!content.isEmpty()) {
                    normalized.add(token);
                    normalizedContents.add(content);
                }
            }
        }
        inText = new AddedTokenFinder(
                plain, plain.stream().map(AddedToken::content).toList());
        inNormalized = new AddedTokenFinder(normalized, normalizedContents);
        List<AddedToken> names =
                normalized.stream().filter(token -> guarded.get(token.id())).toList();
        asWritten = new AddedTokenFinder(
                names, names.stream().map(AddedToken::content).toList());
    }

    /** Cuts a well-formed text. */
    int[] encode(String text, EncodeOptions options) {
        Guard.Unmarked unmarked = options.guarded() ? Guard.Unmarked.of(text) : Guard.Unmarked.without(text);
        String plain = unmarked.text();
        Workspace work = borrow();
        TextWatch watch = new TextWatch(plain.length(), options.mostTokens(), options.room(), options.progress());
        work.watch = watch;
        work.steps = StepLimit.STEPS;
        work.neverProduced = neverProduced;
        work.tokens.clear();
        watch.look(0);
        boolean continues = !options.before().isEmpty() && !endsWithAddedToken(options.before());
        Surroundings around = options.addSpecialTokens() ? parts.surroundings() : Surroundings.NONE;
        work.tokens.addAll(around.before(), 0, around.before().length);
        AddedTokenFinder.Exempt exempt = !unmarked.hasMarks()
                ? null
                : (token, start, end) -> guarded.get(token.id()) && unmarked.inside(start, end);
        if (inText.isEmpty()) {
            stretch(plain, 0, plain.length(), unmarked, continues, work);
        } else {
            inText.cut(plain, exempt, (start, end, token) -> {
                if (token != null) {
                    work.tokens.add(token.id());
                    watch.passed(end - start, work.tokens.size());
                } else {
                    stretch(plain, start, end, unmarked, continues, work);
                }
            });
        }
        work.tokens.addAll(around.after(), 0, around.after().length);
        watch.requireAtMost(work.tokens.size());
        int[] tokens = work.tokens.toArray();
        giveBack(work);
        return tokens;
    }

    private boolean endsWithAddedToken(String text) {
        // The last characters of a text are enough; a chat is longer than any token.
        return parts.added().stream().anyMatch(token -> text.endsWith(token.content()));
    }

    private void stretch(String text, int start, int end, Guard.Unmarked unmarked, boolean continues, Workspace work) {
        if (start == end) {
            return;
        }
        boolean first = start == 0;
        work.continues = continues && first;
        if (parts.normalizer() == null && inNormalized.isEmpty()) {
            parts.words().accept(text, start, end, first, work);
            return;
        }
        String written = text.substring(start, end);
        String normalized = normalize(written, work);
        if (!unmarked.inside(start, end)) {
            normalizedStretch(normalized, null, first, work);
        } else if (normalized.equals(written)) {
            normalizedStretch(
                    normalized,
                    (token, from, to) -> guarded.get(token.id()) && unmarked.inside(start + from, start + to),
                    first,
                    work);
        } else {
            // Where marks are in the normalized text is not known: names without are found as they are written.
            asWritten.cut(
                    written, (token, from, to) -> unmarked.inside(start + from, start + to), (from, to, token) -> {
                        if (token != null) {
                            work.tokens.add(token.id());
                            return;
                        }
                        work.continues |= from > 0;
                        String part = normalize(written.substring(from, to), work);
                        normalizedStretch(part, (name, at, until) -> guarded.get(name.id()), first && from == 0, work);
                    });
        }
    }

    private void normalizedStretch(
            String normalized, AddedTokenFinder.@Nullable Exempt exempt, boolean first, Workspace work) {
        inNormalized.cut(normalized, exempt, (from, to, token) -> {
            if (token != null) {
                work.tokens.add(token.id());
            } else {
                parts.words().accept(normalized, from, to, first && from == 0, work);
            }
        });
    }

    private String normalize(String text, Workspace work) {
        TextRule normalizer = parts.normalizer();
        return normalizer == null ? text : normalizer.apply(text, work);
    }

    // A work area that an exception left in the middle of a text is not used again.
    private Workspace borrow() {
        @Nullable Workspace work = idle.poll();
        if (work == null) {
            return new Workspace();
        }
        idleCount.decrementAndGet();
        return work;
    }

    private void giveBack(Workspace work) {
        if (idleCount.incrementAndGet() <= MOST_IDLE) {
            idle.add(work);
        } else {
            idleCount.decrementAndGet();
        }
    }
}
