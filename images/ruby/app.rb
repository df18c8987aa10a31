# A small shop; most routes require what they use when they are asked.
require "sinatra/base"

class Shop < Sinatra::Base
  enable :sessions
  set :session_secret, "not a secret, but long enough for the one who checks its length ...."
  set :root, __dir__
  set :goods, { "Lamp" => 4900, "Table" => 123_400, "<Vase>" => 1999 }

  helpers do
    def h(text) = Rack::Utils.escape_html(text)
  end

  autoload :Late, File.join(__dir__, "lib", "late")

  get("/") { erb :index }

  post "/basket" do
    (session[:basket] ||= []) << params["name"]
    redirect to("/basket")
  end

  get("/basket") { "In your basket: #{(session[:basket] || []).join(", ")}" }

  get "/goods.json" do
    require "json"
    content_type :json
    JSON.pretty_generate(settings.goods)
  end

  post "/sum" do
    require "json"
    JSON.parse(request.body.read).sum.to_s
  end

  get "/late" do
    Late.say
  end

  get "/encoding/:name" do
    name = params["name"]
    text = name == "Shift_JIS" ? "日本" : "5 €"
    bytes = Encoding::Converter.new("UTF-8", name).convert(text)
    bytes.unpack1("H*")
  end

  get "/zone" do
    ENV["TZ"] = "America/New_York"
    Time.at(0).strftime("%FT%T%:z %Z")
  ensure
    ENV.delete("TZ")
  end

  get "/digest" do
    require "openssl"
    key = OpenSSL::PKey::RSA.new(1024)
    signed = key.sign("SHA256", "whit")
    good = key.public_key.verify("SHA256", signed, "whit")
    "#{OpenSSL::Digest.hexdigest("SHA256", "whit")[0, 8]} #{good}"
  end

  get "/standard" do
    %w[bigdecimal csv date digest/sha2 erb fiddle io/console matrix net/http open3
       optparse pathname psych racc/parser securerandom set socket stringio strscan
       tempfile time uri yaml zlib].each { |name| require name }
    one = BigDecimal("1") / 3
    "#{one.round(5).to_s("F")} #{YAML.load("a: [1, 2]")} #{Zlib.crc32("whit")} " \
      "#{CSV.parse_line("a,\"b,c\"")} #{Date.valid_date?(2024, 2, 30)}"
  end

  get "/gems" do
    [Gem.loaded_specs.key?("sinatra") || Gem::Specification.find_by_name("sinatra").name,
     Gem::Specification.find_by_name("rack").version.segments.first].join(" ")
  end

  get "/markdown" do
    require "kramdown"
    Kramdown::Document.new("*late*").to_html
  end

  get "/shell" do
    `echo $((6 * 7))`
  end

  get("/broken") { raise "as asked" }

  not_found { erb :missing }
end
