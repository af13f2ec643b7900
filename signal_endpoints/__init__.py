"""Where signals arrive: one web service for TradingView alerts."""
