package peers;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** A trade, with the fields that W5 reads. */
public final class Trade {
    public long ts;
    public String symbol;
    public String kind;
    public int volume;

    public long getTs() {
        return ts;
    }

    public String getSymbol() {
        return symbol;
    }

    public String getKind() {
        return kind;
    }

    public int getVolume() {
        return volume;
    }

    /** The next one, or null at the end. */
    public static Trade read(JsonParser json) throws IOException {
        if (json.nextToken() == null) {
            return null;
        }
        Trade trade = new Trade();
        for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
            JsonToken value = json.nextToken();
            switch (name) {
                case "ts" -> trade.ts = json.getLongValue();
                case "symbol" -> trade.symbol = json.getText();
                case "kind" -> trade.kind = json.getText();
                case "volume" -> trade.volume = json.getIntValue();
                default -> {
                    if (value.isStructStart()) {
                        json.skipChildren();
                    }
                }
            }
        }
        return trade;
    }
}
