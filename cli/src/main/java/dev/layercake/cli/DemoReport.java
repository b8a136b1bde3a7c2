package dev.layercake.cli;

import dev.layercake.engine.LanguageModel;
import dev.layercake.eval.Trial;
import java.util.List;

/** What {@code layercake demo --json} prints. */
record DemoReport(String model, int tokens, List<Answer> answers) {

    /** One question under one policy. */
    record Answer(
            int question, String policy, String budget, int window, String expected, boolean right, RunReport run) {}

    static DemoReport of(LanguageModel language, int tokens, List<Trial> trials) {
        return new DemoReport(
                language.model().name(),
                tokens,
                trials.stream()
                        .map(trial -> new Answer(
                                trial.question() + 1,
                                trial.outcome().policy(),
                                trial.outcome().budget(),
                                trial.outcome().window(),
                                trial.outcome().expected(),
                                trial.outcome().correct(),
                                RunReport.of(language, trial.summary())))
                        .toList());
    }
}
