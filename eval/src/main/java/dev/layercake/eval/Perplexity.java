package dev.layercake.eval;

import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.Session;
import dev.layercake.kv.policy.KvPolicy;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * How surprised a model is by texts while a policy cuts what it remembers: each text's first part is read as a prompt,
 * which the policy cuts, and the rest is decoded token by token as given (teacher forcing).
 */
public final class Perplexity {
    private final LanguageModel language;

    public Perplexity(LanguageModel language) {
        this.language = language;
    }

    /**
     * The mean negative log-likelihood of the second parts, each token counting the same; its exponential is the
     * perplexity.
     *
     * @param texts at least one
     * @param progress told after each text how many are done, of how many
     * @return nats per token; not a number if the model's logits are not
     * @throws dev.layercake.kernels.LayercakeException (over capacity) if a text does not fit
     */
    public double loss(KvPolicy policy, List<HeldOutText> texts, BiConsumer<Integer, Integer> progress) {
        double sum = 0;
        long tokens = 0;
        for (int index = 0; index < texts.size(); index++) {
            HeldOutText text = texts.get(index);
            try (Session session = language.session(policy)) {
                for (double logProbability : session.score(text.prompt(), text.continuation())) {
                    sum -= logProbability;
                    tokens++;
                }
            }
            progress.accept(index + 1, texts.size());
        }
        if (tokens == 0) {
            throw new IllegalArgumentException("no text");
        }
        return sum / tokens;
    }
}
