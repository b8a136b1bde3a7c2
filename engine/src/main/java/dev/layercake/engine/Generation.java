package dev.layercake.engine;

import dev.layercake.model.Forward;
import dev.layercake.model.tokenizer.StreamingDetokenizer;
import dev.layercake.model.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.OptionalInt;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;

/**
 * An answer that is computed while it is read: piece by piece ({@code for (String piece : generation)}), with a listener
 * ({@link #run}), or as a whole ({@link #text}). Used by one thread at a time.
 */
public final class Generation implements Iterable<String> {
    private final Session session;
    private final int[] prompt;
    private final String promptText;
    private final int maxTokens;
    private final MemoryPlan plan;
    private final Sampler sampler;
    private final StreamingDetokenizer detokenizer;
    private final StopStrings stops;
    private final List<Integer> endTokens;
    private final List<Integer> stopTokens;
    private final StringBuilder text = new StringBuilder();

    private int[] tokens = new int[16];
    private int tokenCount;
    private boolean started;
    private boolean promptRead;
    private int tokensBefore;
    private long startNanos;
    private long prefillNanos;
    private long firstTokenNanos;
    private int decodeSteps;
    private long decodeNanos;
    private @Nullable Runnable whenDone;
    private @Nullable FinishReason finishReason;
    private @Nullable GenerationSummary summary;

    Generation(
            Session session,
            int[] prompt,
            String promptText,
            GenerationOptions options,
            int maxTokens,
            MemoryPlan plan) {
        var model = session.owner().model();
        this.session = session;
        this.prompt = prompt;
        this.promptText = promptText;
        this.maxTokens = maxTokens;
        this.plan = plan;
        this.sampler = new Sampler(options, model.config().vocabularySize());
        this.detokenizer = model.tokenizer().stream(true);
        this.stops = new StopStrings(options.stopStrings());
        this.endTokens = model.endTokens();
        this.stopTokens = stopTokens(options.stopStrings(), model.tokenizer());
    }

    /** Special tokens that are stop strings: a reader never sees their texts, so that they stop by their numbers. */
    private static List<Integer> stopTokens(List<String> stopStrings, Tokenizer tokenizer) {
        return stopStrings.stream()
                .map(tokenizer::tokenId)
                .filter(id -> id.isPresent() && tokenizer.isSpecial(id.getAsInt()))
                .map(OptionalInt::getAsInt)
                .toList();
    }

    /** What memory this needs, known before it starts. */
    public MemoryPlan plan() {
        return plan;
    }

    /** Tokens of the prompt that this reads. */
    public int promptTokens() {
        return prompt.length;
    }

    /** The answer piece by piece; the prompt is read when the first piece is asked for. There is one iterator's worth. */
    @Override
    public Iterator<String> iterator() {
        return new Pieces();
    }

    /** Generates to the end. */
    public GenerationSummary run(GenerationListener listener) {
        Pieces pieces = new Pieces();
        pieces.listener = listener;
        while (pieces.hasNext()) {
            listener.text(pieces.next());
        }
        return summary();
    }

    /** Generates to the end and returns the whole answer. */
    public String text() {
        return summary().text();
    }

    /** Generates to the end and says what became of it. */
    public GenerationSummary summary() {
        if (summary == null) {
            Pieces rest = new Pieces();
            while (rest.hasNext()) {
                rest.next();
            }
        }
        GenerationSummary made = summary;
        if (made == null) {
            throw new IllegalStateException("the generation failed before its end");
        }
        return made;
    }

    /** Does something at the end, whatever the end is; at once if it has come already. */
    void whenDone(Runnable action) {
        whenDone = action;
        if (finishReason != null) {
            action.run();
        }
    }

    /** Ends what was never begun. */
    void endUnread(FinishReason reason) {
        finish(reason);
    }

    boolean promptRead() {
        return promptRead;
    }

    String textSoFar() {
        return text.toString();
    }

    /** Ends an answer that nobody reads on. */
    void abandon() {
        if (finishReason == null) {
            finish(FinishReason.CANCELLED);
        }
    }

    /** The next piece of the answer, empty if a token brought nothing to show; null at the end. */
    private @Nullable String advance(GenerationListener listener) {
        if (finishReason != null) {
            return null;
        }
        try {
            if (!started) {
                readPrompt(listener);
                if (maxTokens == 0) {
                    return finish(FinishReason.LENGTH);
                }
            } else {
                readLastToken();
            }
        } catch (CancellationException e) {
            return finish(FinishReason.CANCELLED);
        } catch (RuntimeException | Error e) {
            fail();
            throw e;
        }
        int token = sampler.draw();
        if (firstTokenNanos == 0) {
            firstTokenNanos = System.nanoTime() - startNanos;
        }
        add(token);
        if (endTokens.contains(token) || stopTokens.contains(token)) {
            // The end of the answer belongs to the next prompt: a chat template writes it there.
            tokenCount--;
            return finish(stopTokens.contains(token) ? FinishReason.STOP_STRING : FinishReason.STOP);
        }
        String piece = stops.push(detokenizer.push(token));
        text.append(piece);
        if (stops.found()) {
            return piece + finish(FinishReason.STOP_STRING);
        }
        return tokenCount == maxTokens ? piece + finish(FinishReason.LENGTH) : piece;
    }

    private void readPrompt(GenerationListener listener) {
        started = true;
        tokensBefore = session.cache().tokensSeen();
        startNanos = System.nanoTime();
        for (int token : prompt) {
            sampler.note(token);
        }
        Forward.Progress progress = (done, total) -> {
            listener.prefill(done, total);
            return !session.cancelled();
        };
        session.owner().prefill(session.cache(), prompt, progress, session::cancelled, sampler.logits());
        prefillNanos = System.nanoTime() - startNanos;
        promptRead = true;
        session.grown(tokensBefore, prompt, promptText);
    }

    private void readLastToken() {
        if (session.cancelled()) {
            throw new CancellationException("cancelled between tokens");
        }
        long start = System.nanoTime();
        session.owner().decode(session.cache(), tokens[tokenCount - 1], session::cancelled, sampler.logits());
        decodeNanos += System.nanoTime() - start;
        decodeSteps++;
    }

    private void add(int token) {
        if (tokenCount == tokens.length) {
            tokens = Arrays.copyOf(tokens, tokens.length * 2);
        }
        tokens[tokenCount++] = token;
        sampler.note(token);
    }

    /** Settles the session; returns the text that was held back. */
    private String finish(FinishReason reason) {
        finishReason = reason;
        String rest = stops.push(detokenizer.flush()) + stops.flush();
        text.append(rest);
        settle();
        List<Integer> answer = Arrays.stream(tokens, 0, tokenCount).boxed().toList();
        summary = new GenerationSummary(
                text.toString(),
                answer,
                reason,
                promptRead ? prompt.length : 0,
                prefillNanos,
                firstTokenNanos,
                decodeSteps,
                decodeNanos,
                plan,
                session.kv());
        tellDone();
        return rest;
    }

    private void settle() {
        if (promptRead) {
            int[] answer = Arrays.copyOf(tokens, tokenCount);
            String answerText = session.owner().model().tokenizer().decode(answer, false);
            session.grown(tokensBefore + prompt.length, answer, promptText + answerText);
        }
        session.settle();
    }

    private void fail() {
        finishReason = FinishReason.CANCELLED;
        settle();
        tellDone();
    }

    private void tellDone() {
        Runnable action = whenDone;
        if (action != null) {
            action.run();
        }
    }

    /** Pulls pieces that are not empty. */
    private final class Pieces implements Iterator<String> {
        private GenerationListener listener = GenerationListener.NONE;
        private String next = "";

        @Override
        public boolean hasNext() {
            while (next.isEmpty()) {
                String piece = advance(listener);
                if (piece == null) {
                    return false;
                }
                next = piece;
            }
            return true;
        }

        @Override
        public String next() {
            if (!hasNext()) {
                throw new NoSuchElementException("the answer is complete");
            }
            String piece = next;
            next = "";
            return piece;
        }
    }
}
