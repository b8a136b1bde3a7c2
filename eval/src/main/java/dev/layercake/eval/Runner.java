package dev.layercake.eval;

import dev.layercake.engine.GenerationListener;
import dev.layercake.engine.GenerationOptions;
import dev.layercake.engine.GenerationSummary;
import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.Session;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.KvPolicy;
import java.util.List;
import java.util.OptionalInt;

/**
 * Puts samples to a model, each under every contender before the next sample begins, so that what is finished at any time
 * can be compared.
 */
public final class Runner {
    private final LanguageModel language;
    private final PromptEncoder encoder;
    private final Compression compression;

    /** When a policy cuts the text. */
    public enum Compression {
        /** With the question in sight: text and question are read as one prompt. */
        PROMPT,
        /** Before the question is known: the text is read and cut first, then the question is read as a second turn. */
        CONTEXT
    }

    public Runner(LanguageModel language, Compression compression) {
        this.language = language;
        this.encoder = new PromptEncoder(language.model());
        this.compression = compression;
    }

    /** Follows a run. */
    @FunctionalInterface
    public interface Listener {
        /**
         * Another outcome is known.
         *
         * @param done of {@code total} outcomes, those of earlier runs included
         */
        void finished(Outcome outcome, int done, int total);
    }

    /**
     * Runs what is not in the file yet, and adds it.
     *
     * @throws LayercakeException (bad input) if a budget cannot hold what its policy always keeps, (over capacity) if a
     *     prompt does not fit; what was finished before is kept
     */
    public void run(List<Sample> samples, List<Contender> contenders, ResultsFile<Outcome> results, Listener listener) {
        checkBudgets(samples, contenders, results);
        int total = samples.size() * contenders.size();
        int done = results.outcomes(Evaluation.ids(samples), contenders).size();
        for (Sample sample : samples) {
            List<Contender> open = contenders.stream()
                    .filter(contender -> !results.has(sample.id(), contender))
                    .toList();
            for (Contender contender : open) {
                Outcome outcome = outcome(sample, contender);
                results.add(outcome);
                done++;
                listener.finished(outcome, done, total);
            }
        }
    }

    /** The shortest prompt is where a share of it holds least; better known before the first answer than in the middle. */
    private void checkBudgets(List<Sample> samples, List<Contender> contenders, ResultsFile<Outcome> results) {
        OptionalInt shortest = samples.stream()
                .filter(sample -> !contenders.stream().allMatch(contender -> results.has(sample.id(), contender)))
                .mapToInt(sample -> encoder.encode(sample.prompt()).count())
                .min();
        if (shortest.isEmpty()) {
            return;
        }
        for (Contender contender : contenders) {
            try {
                contender.at(shortest.getAsInt());
            } catch (LayercakeException e) {
                throw LayercakeException.badInput(
                        contender.label() + " cannot be had of the shortest prompt, which has " + shortest.getAsInt()
                                + " tokens: " + e.getMessage());
            }
        }
    }

    /**
     * Those samples whose answer lies in no contender's window, so that each is a question of what a policy chose, and all
     * contenders are asked the same.
     *
     * @throws LayercakeException (bad input) if a budget cannot hold what its policy always keeps
     */
    public List<Sample> outsideWindows(List<Sample> samples, List<Contender> contenders) {
        return samples.stream()
                .filter(sample -> {
                    PromptEncoder.Tokens tokens = encoder.encode(sample.prompt());
                    OptionalInt distance = AnswerPlace.distance(encoder, sample, tokens, compression);
                    return distance.isEmpty() || distance.getAsInt() > widest(contenders, tokens.count());
                })
                .toList();
    }

    private static int widest(List<Contender> contenders, int promptTokens) {
        return contenders.stream()
                .mapToInt(contender -> contender.at(promptTokens).scorer().window())
                .max()
                .orElse(0);
    }

    private Outcome outcome(Sample sample, Contender contender) {
        PromptEncoder.Tokens tokens = encoder.encode(sample.prompt());
        KvPolicy policy = contender.at(tokens.count());
        try (Session session = language.session(policy)) {
            GenerationSummary summary = ask(session, sample, tokens, GenerationListener.NONE);
            return outcome(sample, contender, policy, tokens, summary);
        }
    }

    /** The record of an answer. */
    Outcome outcome(
            Sample sample,
            Contender contender,
            KvPolicy policy,
            PromptEncoder.Tokens tokens,
            GenerationSummary summary) {
        OptionalInt distance = AnswerPlace.distance(encoder, sample, tokens, compression);
        return new Outcome(
                sample.id(),
                contender.policy(),
                contender.budget().label(),
                sample.labels(),
                policy.spec(),
                contender.files().isEmpty() ? null : contender.files(),
                tokens.count(),
                policy.budget(tokens.count()),
                policy.scorer().window(),
                distance.isPresent() ? distance.getAsInt() : null,
                sample.answer().strip(),
                summary.text().strip(),
                sample.scoring().score(summary.text(), sample),
                summary.firstTokenNanos() / 1e9,
                summary.decodeSpeed(),
                summary.kv().bytesNow(),
                summary.kv().bytesPeak(),
                summary.kv().bytesFull());
    }

    /** Reads a prompt in a fresh session, whole or in two turns, and answers it. */
    GenerationSummary ask(Session session, Sample sample, PromptEncoder.Tokens tokens, GenerationListener listener) {
        int room = language.contextTokens() - tokens.count();
        int answerTokens = Math.min(sample.scoring().answerTokens(encoder.count(sample.answer())), room);
        GenerationOptions options = GenerationOptions.builder()
                .maxTokens(answerTokens)
                .stopStrings(sample.scoring().stops())
                .build();
        if (compression == Compression.CONTEXT && tokens.textCount() == 0) {
            throw LayercakeException.badModel(
                    "The chat template of " + language.model().name()
                            + " changes the text of messages, so that it cannot be cut before the question; use --compress prompt.");
        }
        if (compression == Compression.PROMPT) {
            return session.generate(tokens.all(), options).run(listener);
        }
        session.feed(tokens.text());
        return session.generate(tokens.question(), options).run(listener);
    }
}
