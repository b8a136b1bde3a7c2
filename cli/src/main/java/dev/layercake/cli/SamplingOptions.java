package dev.layercake.cli;

import dev.layercake.engine.GenerationOptions;
import java.util.List;
import picocli.CommandLine.Option;

/** The options that say how an answer is drawn and when it ends. */
final class SamplingOptions {
    @Option(
            names = {"-n", "--predict"},
            paramLabel = "N",
            description = "Most tokens to generate (default: ${DEFAULT-VALUE}).")
    int maxTokens = 256;

    @Option(
            names = "--temp",
            paramLabel = "T",
            description = "Temperature; 0 (default) takes the likeliest token always.")
    float temperature;

    @Option(names = "--top-k", paramLabel = "K", description = "Keep the K likeliest tokens; 0 (default) keeps all.")
    int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            description = "Keep the likeliest tokens that sum to P; 1 (default) keeps all.")
    float topP = 1;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            description = "Keep tokens at least P times as likely as the likeliest; 0 (default) keeps all.")
    float minP;

    @Option(
            names = "--repeat-penalty",
            paramLabel = "F",
            description = "Penalty on recent tokens; 1 (default) for none.")
    float repeatPenalty = 1;

    @Option(
            names = "--repeat-last-n",
            paramLabel = "N",
            description = "How many tokens count as recent (default: ${DEFAULT-VALUE}).")
    int repeatLastN = 64;

    @Option(
            names = {"-s", "--seed"},
            paramLabel = "N",
            description = "Seed of the sampler; the same seed gives the same tokens (default: ${DEFAULT-VALUE}).")
    long seed;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "A text that ends the answer; may be given several times.")
    List<String> stops = List.of();

    GenerationOptions options() {
        return GenerationOptions.builder()
                .maxTokens(maxTokens)
                .temperature(temperature)
                .topK(topK)
                .topP(topP)
                .minP(minP)
                .repetitionPenalty(repeatPenalty)
                .penaltyWindow(repeatLastN)
                .seed(seed)
                .stopStrings(stops)
                .build();
    }
}
