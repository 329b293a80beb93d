-- What the null server answers: S3 as far as an uploader sees it, with nothing kept but counters and probes.
--
-- True here: every body is read whole and its MD5 is the ETag; every request is counted; for each object that came
-- in whole, a number made of its key and its MD5 is added to a sum, so that the harness can tell whether exactly
-- the expected objects arrived, without a list of them. A wrong Content-MD5 is refused. A key whose last segment
-- starts with ".outhaul-probe" is really stored, with create-only writes and checked checksums.
-- Not done here: signatures are not checked, objects are not stored, listings are empty.

local ffi = require "ffi"
ffi.cdef "unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);"
local bit = require "bit"

local store = {}
-- Whether it digests nothing: ETags are no digests then, as with SSE-KMS, and a SHA-256 that a request tells is kept as it is.
local keeps = @keeps@
-- Only the headers that are asked for are looked up: all of them together cost more than the rest of a PUT.
local headers = setmetatable({}, { __index = function(_, name)
  return ngx.var["http_" .. name:gsub("-", "_")]
end })
local probes = ngx.shared.probes
local count
local seen = {}   -- path to "length etag" of what was put: no content is kept, but a HEAD is answered truly
local kept = {}   -- path to the SHA-256 that was told, or that of all parts, in Base64
local parts = {}  -- path to { lengths, digests } of the parts that were put, by number: an object's ETag follows from them
local in_flight = 0

local function zero()
  seen, kept, parts = {}, {}, {}
  count = { requests = 0, puts = 0, bytes = 0, sum = 0, probe_requests = 0, lists = 0, heads = 0, refused = 0,
            most_in_flight = 0, connections = 0 }
end
zero()

local function hex(bytes)
  return (bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

local function sha256(bytes)
  local digest = ffi.new("unsigned char[32]")
  ffi.C.SHA256(bytes, #bytes, digest)
  return ffi.string(digest, 32)
end

local function reply(status, body)
  ngx.status = status
  body = body or ""
  ngx.header["Content-Length"] = #body
  if body ~= "" and ngx.req.get_method() ~= "HEAD" then
    ngx.print(body)
  end
end

local function xml(status, body)
  return reply(status, '<?xml version="1.0" encoding="UTF-8"?>\n' .. body)
end

local function failure(status, code)
  count.refused = count.refused + 1
  return xml(status, "<Error><Code>" .. code .. "</Code><Message>" .. code .. "</Message></Error>")
end

-- aws-chunked: lines "SIZE[;chunk-signature=...]", each followed by that many bytes; what comes after size 0 is a trailer.
local function unframed(framed)
  local parts, at = {}, 1
  while true do
    local from, to, size = framed:find("^(%x+)[^\r\n]*\r\n", at)
    if not from then return nil end
    size = tonumber(size, 16)
    if size == 0 then return table.concat(parts) end
    parts[#parts + 1] = framed:sub(to + 1, to + size)
    at = to + size + 3
  end
end

local function request_body()
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  if not body then
    local name = ngx.req.get_body_file()
    if not name then return "" end
    local file = assert(io.open(name, "rb"))
    body = file:read("*a")
    file:close()
  end
  local kind = ngx.var.http_x_amz_content_sha256
  if kind and kind:sub(1, 9) == "STREAMING" then
    body = unframed(body)
    local length = ngx.var.http_x_amz_decoded_content_length
    if body and length and tonumber(length) ~= #body then return nil end
  end
  return body
end

local function opaque(key)
  return '"' .. hex(ngx.sha1_bin(key)) .. '"'
end

local function etag_of(body, key)
  return keeps and opaque(key) or '"' .. ngx.md5(body) .. '"'
end

local function put_probe(key, body, etag, create_only)
  local sent, declared = ngx.var.http_x_amz_checksum_sha256, ngx.var.http_x_amz_content_sha256
  if sent or (declared and #declared == 64) then
    local digest = sha256(body)
    if sent and sent ~= ngx.encode_base64(digest) then return failure(400, "BadDigest") end
    if declared and #declared == 64 and declared ~= hex(digest) then
      return failure(400, "XAmzContentSHA256Mismatch")
    end
  end
  if create_only then
    if not probes:add(key, (sent or "") .. "\n" .. body) then return failure(412, "PreconditionFailed") end
  else
    probes:set(key, (sent or "") .. "\n" .. body)
  end
  ngx.header["ETag"] = etag
  return reply(200)
end

local function get_probe(key)
  local stored = probes:get(key)
  if not stored then return failure(404, "NoSuchKey") end
  local checksum, body = stored:match("^([^\n]*)\n(.*)$")
  ngx.header["ETag"] = etag_of(body, "")
  ngx.header["Last-Modified"] = ngx.http_time(ngx.time())
  ngx.header["Content-Type"] = "application/octet-stream"
  if checksum ~= "" and ngx.var.http_x_amz_checksum_mode then
    ngx.header["x-amz-checksum-sha256"] = checksum
  end
  return reply(200, body)
end

local function keep(key, body, arguments)
  local told, etag = ngx.var.http_x_amz_checksum_sha256, opaque(key)
  if arguments.partNumber then
    local number = tonumber(arguments.partNumber)
    parts[key] = parts[key] or { {}, {} }
    parts[key][1][number], parts[key][2][number] = #body, told and ngx.decode_base64(told) or ""
  else
    seen[key], kept[key] = #body .. " " .. etag, told
    count.puts = count.puts + 1
    count.bytes = count.bytes + #body
  end
  ngx.header["ETag"] = etag
  ngx.header["x-amz-checksum-sha256"] = told
  return reply(200)
end

local function put(key, arguments, is_probe)
  local create_only = ngx.var.http_if_none_match == "*"
  if create_only then ngx.req.clear_header("If-None-Match") end   -- nginx would make its own 304 of it
  local body = request_body()
  if not body then return failure(400, "IncompleteBody") end
  if keeps and not is_probe then return keep(key, body, arguments) end
  local claimed = ngx.var.http_content_md5
  local digest = ngx.md5_bin(body)
  local md5 = hex(digest)
  if claimed and claimed ~= ngx.encode_base64(digest) then return failure(400, "BadDigest") end
  local etag = '"' .. md5 .. '"'
  if is_probe then return put_probe(key, body, etag_of(body, ""), create_only) end
  if ngx.var.http_x_amz_copy_source then return failure(501, "NotImplemented") end
  if arguments.partNumber then
    local number = tonumber(arguments.partNumber)
    parts[key] = parts[key] or { {}, {} }
    parts[key][1][number], parts[key][2][number] = #body, digest
  else
    seen[key] = #body .. " " .. etag
    count.puts = count.puts + 1
    count.bytes = count.bytes + #body
    count.sum = (count.sum + bit.tobit(ngx.crc32_short(key .. "\n" .. md5)) % 4294967296) % 9007199254740992
  end
  ngx.header["ETag"] = etag
  return reply(200)
end

local function of_bucket(method, bucket, arguments)
  if method == "HEAD" or method == "PUT" then return reply(200) end
  if method == "DELETE" then return reply(204) end
  if method == "POST" then return xml(200, "<DeleteResult></DeleteResult>") end
  if arguments.uploads then return xml(200, "<ListMultipartUploadsResult></ListMultipartUploadsResult>") end
  if arguments.location then return xml(200, "<LocationConstraint></LocationConstraint>") end
  if arguments.versioning then return xml(200, "<VersioningConfiguration></VersioningConfiguration>") end
  count.lists = count.lists + 1
  return xml(200, "<ListBucketResult><Name>" .. bucket .. "</Name><Prefix></Prefix><KeyCount>0</KeyCount>"
    .. "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>")
end

local function of_upload(method, bucket, key, arguments)
  local named = "<Bucket>" .. bucket .. "</Bucket><Key>" .. ngx.escape_uri(key) .. "</Key>"
  if method == "DELETE" then return reply(204) end
  if method == "POST" and arguments.uploads then
    return xml(200, "<InitiateMultipartUploadResult>" .. named
      .. "<UploadId>null-upload</UploadId></InitiateMultipartUploadResult>")
  end
  if method == "GET" then
    return xml(200, "<ListPartsResult>" .. named .. "<IsTruncated>false</IsTruncated></ListPartsResult>")
  end
  ngx.req.read_body()
  ngx.req.clear_header("If-None-Match")   -- as in `put`
  local path = "/" .. bucket .. "/" .. key
  local given, length = parts[path] or { {}, {} }, 0
  for _, each in ipairs(given[1]) do length = length + each end
  local etag = '"' .. ngx.md5(table.concat(given[2])) .. "-" .. #given[2] .. '"'
  if keeps then
    etag = opaque(path)
    kept[path] = ngx.encode_base64(sha256(table.concat(given[2]))) .. "-" .. #given[2]
  end
  parts[path], seen[path] = nil, length .. " " .. etag
  count.puts, count.bytes = count.puts + 1, count.bytes + length
  return xml(200, "<CompleteMultipartUploadResult>" .. named .. "<ETag>" .. etag
    .. "</ETag></CompleteMultipartUploadResult>")
end

local function route()
  local method, path = ngx.req.get_method(), ngx.var.uri
  local arguments = ngx.var.args and ngx.req.get_uri_args(50) or {}
  local slash = path:find("/", 2, true)
  local bucket, key = path:sub(2, (slash or 0) - 1), slash and path:sub(slash + 1) or ""
  local is_probe = path:find("/.outhaul-probe", 1, true)
  if is_probe then count.probe_requests = count.probe_requests + 1 end
  if method == "HEAD" then count.heads = count.heads + 1 end
  if bucket == "" then return xml(200, "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>") end
  if key == "" then return of_bucket(method, bucket, arguments) end
  if method == "PUT" then return put(path, arguments, is_probe) end
  if arguments.uploads or arguments.uploadId then return of_upload(method, bucket, key, arguments) end
  if method == "DELETE" then
    probes:delete(path)
    return reply(204)
  end
  if is_probe then return get_probe(path) end
  if method == "HEAD" and seen[path] then
    local length, etag = seen[path]:match("^(%d+) (.*)$")
    ngx.header["ETag"] = etag
    ngx.header["Last-Modified"] = ngx.http_time(ngx.time())
    ngx.header["Content-Type"] = "application/octet-stream"
    ngx.header["Content-Length"] = length
    if kept[path] and ngx.var.http_x_amz_checksum_mode then
      ngx.header["x-amz-checksum-sha256"] = kept[path]
    end
    ngx.status = 200
    return
  end
  return failure(404, "NoSuchKey")
end

function store.answer(delay)
  count.requests = count.requests + 1
  if ngx.var.connection_requests == "1" then count.connections = count.connections + 1 end
  in_flight = in_flight + 1
  if in_flight > count.most_in_flight then count.most_in_flight = in_flight end
  if delay > 0 then
    ngx.req.read_body()
    ngx.sleep(delay)
  end
  local fine, trouble = pcall(route)
  in_flight = in_flight - 1
  if not fine then error(trouble) end
end

function store.counters()
  local parts = {}
  for name, value in pairs(count) do parts[#parts + 1] = string.format('"%s":%.0f', name, value) end
  ngx.say("{" .. table.concat(parts, ",") .. "}")
end

function store.reset()
  zero()
  probes:flush_all()
  ngx.say("{}")
end

return store
