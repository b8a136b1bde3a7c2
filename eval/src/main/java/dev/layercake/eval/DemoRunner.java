package dev.layercake.eval;

import dev.layercake.engine.GenerationListener;
import dev.layercake.engine.GenerationSummary;
import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.Session;
import dev.layercake.kv.policy.KvPolicy;
import java.util.ArrayList;
import java.util.List;

/** Asks the questions of a demo. */
public final class DemoRunner {
    private final LanguageModel language;
    private final PromptEncoder encoder;
    private final Runner runner;

    public DemoRunner(LanguageModel language) {
        this.language = language;
        this.encoder = new PromptEncoder(language.model());
        this.runner = new Runner(language, Runner.Compression.PROMPT);
    }

    /**
     * Asks one question.
     *
     * @param question index of the sample
     * @param listener follows the reading of the text
     */
    public Trial ask(Demo demo, int question, Contender contender, GenerationListener listener) {
        Sample sample = demo.samples().get(question);
        PromptEncoder.Tokens tokens = encoder.encode(sample.prompt());
        KvPolicy policy = contender.at(tokens.count());
        try (Session session = language.session(policy)) {
            GenerationSummary summary = runner.ask(session, sample, tokens, listener);
            Outcome outcome = runner.outcome(sample, contender, policy, tokens, summary);
            return new Trial(question, contender, outcome, summary, positions(session));
        }
    }

    private List<List<int[]>> positions(Session session) {
        List<List<int[]>> layers = new ArrayList<>();
        for (int layer = 0; layer < language.model().config().layerCount(); layer++) {
            List<int[]> heads = new ArrayList<>();
            for (int head = 0; head < language.model().config().kvHeads(); head++) {
                heads.add(session.positions(layer, head));
            }
            layers.add(heads);
        }
        return layers;
    }
}
